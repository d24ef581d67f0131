"""Eight floats in one vector register, as a Numba type.

Numba vectorises simple loops by itself, but keeps no block of accumulators in registers over a nest of
loops, which is what makes a convolution fast. With this type a kernel says so itself. Offsets count
elements of a flat float32 array, and nothing checks them.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

WIDTH = 8

Array = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
Function = TypeVar("Function", bound=Callable[..., Any])

# Not plain `fastmath=True`: a training that diverges must show as NaN.
FASTMATH = {"nsz", "arcp", "contract", "reassoc"}


def compiled(function: Function) -> Function:
    """Compiled by Numba on first use and kept on disk; runs without the interpreter lock.

    Numba compiles again when the function's own file changes, not when a file that it calls into does: after
    an edit here or in `kernels`, delete `__pycache__`.

    Each compiled function holds copies of those that it calls, rounded as the compiler liked it there, and a
    process runs the copy that it loaded first. So that results do not depend on what a process did before,
    everything that counts enters by `engine.train` and `engine.predict`. A process that has to compile loads
    other copies than one that finds all on disk; the last digits of its sums differ.
    """
    return cast(Function, numba.njit(function, cache=True, nogil=True, fastmath=FASTMATH, error_model="numpy"))


class _Lanes(numba.types.Type):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(name="Lanes")


_lanes = _Lanes()
_vector = ir.VectorType(ir.FloatType(), WIDTH)


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, lanes: Any) -> None:
        super().__init__(manager, lanes, _vector)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, offset: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), _vector.as_pointer())


def _splat(builder: Any, scalar: Any) -> Any:
    one = builder.insert_element(ir.Constant(_vector, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH))


@intrinsic
def load(typing: Any, array: Any, offset: Any) -> Any:
    """Lanes `array[offset : offset + 8]`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = builder.load(_pointer(context, builder, signature.args[0], *arguments))
        vector.align = 4
        return vector

    return _lanes(array, numba.types.intp), generate


@intrinsic
def store(typing: Any, array: Any, offset: Any, lanes: Any) -> Any:
    """`array[offset : offset + 8] = lanes`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, offset, vector = arguments
        builder.store(vector, _pointer(context, builder, signature.args[0], array, offset), align=4)
        return context.get_dummy_value()

    return numba.types.void(array, numba.types.intp, lanes), generate


@intrinsic
def fill(typing: Any, scalar: Any) -> Any:
    """One float in all lanes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _splat(builder, arguments[0])

    return _lanes(numba.types.float32), generate


@intrinsic
def load_fill(typing: Any, array: Any, offset: Any) -> Any:
    """`array[offset]` in all lanes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, offset = arguments
        data = context.make_array(signature.args[0])(context, builder, array).data
        return _splat(builder, builder.load(builder.gep(data, [offset])))

    return _lanes(array, numba.types.intp), generate


@intrinsic
def add(typing: Any, a: Any, b: Any) -> Any:
    """`a + b`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fadd(*arguments)

    return _lanes(_lanes, _lanes), generate


@intrinsic
def multiply_add(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """`a * b + c`, in one rounding where the processor can."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        product = builder.fmul(*arguments[:2], flags=["contract"])
        return builder.fadd(product, arguments[2], flags=["contract"])

    return _lanes(_lanes, _lanes, _lanes), generate


@intrinsic
def total(typing: Any, lanes: Any) -> Any:
    """The sum over the lanes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.FloatType(), [ir.FloatType(), _vector])
        reduce = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.fadd.v{WIDTH}f32")
        return builder.call(reduce, [ir.Constant(ir.FloatType(), 0.0), arguments[0]], fastmath=["reassoc"])

    return numba.types.float32(_lanes), generate

import pytest

from ness_bench.data import cifar10, fashion_mnist, npz
from ness_bench.data.named import load_named
from ness_bench.errors import NessBenchError


@pytest.fixture
def asked(monkeypatch):
    """What each loader is asked for, with the loaders left out."""
    paths = []
    for module, function in ((cifar10, "load"), (npz, "load"), (fashion_mnist, "from_idx")):
        monkeypatch.setattr(
            module, function, lambda path, name=module.__name__: paths.append((name.split(".")[-1], path))
        )
    return paths


def test_paths_go_to_their_loaders(tmp_path, asked):
    batches = tmp_path / "downloads" / "cifar-10-batches-py"
    idx = tmp_path / "idx"
    for folder, name in ((batches, "test_batch"), (idx, "t10k-labels-idx1-ubyte.gz")):
        folder.mkdir(parents=True)
        (folder / name).touch()
    packed = tmp_path / "any.tar.gz"
    packed.touch()
    for path in (batches, batches.parent, packed, idx, tmp_path / "birds.npz"):
        load_named(str(path))
    assert asked == [
        ("cifar10", batches),
        ("cifar10", batches),
        ("cifar10", packed),
        ("fashion_mnist", idx),
        ("npz", tmp_path / "birds.npz"),
    ]


def test_cifar10_is_looked_for_where_the_variable_says(tmp_path, monkeypatch, asked):
    monkeypatch.chdir(tmp_path)
    for home in ("data", "elsewhere"):
        batches = tmp_path / home / "cifar-10-batches-py"
        batches.mkdir(parents=True)
        (batches / "test_batch").touch()
    monkeypatch.delenv("NESS_BENCH_DATA", raising=False)
    load_named("cifar10")
    monkeypatch.setenv("NESS_BENCH_DATA", str(tmp_path / "elsewhere"))
    load_named("cifar10")
    assert asked == [("cifar10", tmp_path / home / "cifar-10-batches-py") for home in ("data", "elsewhere")]
    monkeypatch.setenv("NESS_BENCH_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(NessBenchError, match=r"is not in .*nowhere; download https://.*MD5 .* NESS_BENCH_DATA"):
        load_named("cifar10")


def test_unknown_names_are_told_what_is_allowed(tmp_path):
    with pytest.raises(
        NessBenchError, match=r'unknown data set "fashoin"; did you mean "fashion"\?; give fashion, cifar10, cifar100, '
    ):
        load_named("fashoin")
    with pytest.raises(NessBenchError, match=r"or a folder that holds cifar-10-batches-py, .*IDX files"):
        load_named(str(tmp_path))

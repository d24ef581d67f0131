"""Looking accuracies up, side by side with the official API, warm: its files have been unpickled before.

Both are asked for the validation accuracy of one seed after 200 epochs; `get_more_info` answers more along with it.
"""

import nats_bench
import numpy as np
import pytest
from official_files import states, write_folder

from ness_bench.tables.folder import open_table
from ness_bench.tables.nats_bench import import_nats

ARCHITECTURES, QUERIES, SEED = 20, 1000, 888


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nats") / "official"
    write_folder(folder, {index: states(index) for index in range(ARCHITECTURES)})
    return folder


@pytest.fixture(scope="module")
def asked():
    return np.random.default_rng(0).integers(0, ARCHITECTURES, QUERIES)


FLOORS = {"nats_bench": 1, "ours, one by one": 400, "ours, at once": 100_000}


@pytest.mark.parametrize("way", FLOORS)
def test_lookup(benchmark, folder, asked, tmp_path, way):
    benchmark.group = "validation accuracy of an architecture, 200 epochs, one seed"
    benchmark.extra_info = {"way": way, "items": QUERIES, "floor": FLOORS[way]}
    official = nats_bench.create(str(folder), "tss", fast_mode=True, verbose=False)
    import_nats(folder, tmp_path / "table", partial=True)
    table, rows = open_table(tmp_path / "table"), asked.tolist()

    def by_api():
        return [official.get_more_info(index, "cifar100", hp="200", is_random=SEED)["valid-accuracy"] for index in rows]

    def one_by_one():
        return [table.accuracy("cifar100", "val", 200, SEED)[table.row(index)] for index in rows]

    def at_once():
        return table.accuracy("cifar100", "val", 200, SEED)[asked]

    ways = {"nats_bench": by_api, "ours, one by one": one_by_one, "ours, at once": at_once}
    np.testing.assert_allclose(benchmark(ways[way]), by_api(), rtol=1e-6)

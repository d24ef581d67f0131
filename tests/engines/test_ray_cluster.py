import os
import socket
import time

import pytest
from engine_jobs import (
    alive,
    attempts,
    killed,
    lasting,
    raising,
    sleep,
    square,
    threads,
    wait_until,
)

from ness_bench.engines.engine import ATTEMPTS
from ness_bench.engines.ray_cluster import Ray
from ness_bench.errors import NessBenchError

pytest.importorskip("ray", reason="the engine ray is an extra: pip install 'ness_bench[ray]'")
os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # or Ray puts a token into the home folder; before Ray is started
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


@pytest.fixture(scope="module")
def cluster(importable):
    """A cluster of one machine, with one CPU, to which tests add others."""
    from ray.cluster_utils import Cluster

    watchful = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 3}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "_system_config": watchful})
    yield cluster
    cluster.shutdown()


@pytest.fixture
def engine(cluster):
    return Ray(cluster.address, None)


def test_a_machine_that_dies_costs_its_jobs_one_attempt_and_one_that_joins_gets_some(cluster, engine, tmp_path):
    other = cluster.add_node(num_cpus=2)
    cluster.wait_for_nodes()
    jobs = [(tmp_path, number, 0.5) for number in range(24)]
    done, running = [], engine.map(lasting, jobs, timeout=60)
    for _ in range(4):
        done.append(next(running))
    cluster.remove_node(other, allow_graceful=False)
    before = set(attempts(tmp_path))
    cluster.add_node(num_cpus=2)
    done += running
    assert sorted((one.job[1], one.result, one.lost) for one in done) == [(n, n, None) for n in range(24)]
    begun = [len(attempts(tmp_path, number)) for number in range(24)]
    assert 2 in begun, "the machine that died was at a job"
    assert len(set(attempts(tmp_path)) - before) >= 2, "processes on the machine that joined"


def test_a_killed_worker_costs_its_job_one_attempt(engine, tmp_path):
    done = {one.job[1]: one for one in engine.map(killed, [(tmp_path, number) for number in range(7)])}
    assert {number: one.result for number, one in done.items()} == {n: None if n == 3 else n**2 for n in range(7)}
    begun = {number: len(attempts(tmp_path, number)) for number in range(7)}
    assert begun == {n: ATTEMPTS if n == 3 else 2 if n % 5 == 0 else 1 for n in range(7)}
    assert done[3].lost.startswith("its worker was lost 3 times; The worker died unexpectedly")


def test_a_job_that_takes_too_long_is_cancelled_and_waiting_does_not_count(engine):
    """Jobs of 0.7 s wait in a queue for longer than the 1.5 s that each may take."""
    begin = time.monotonic()
    done = list(engine.map(sleep, [60.0, *[0.7] * 12], timeout=1.5))
    assert time.monotonic() - begin < 30
    assert [one.lost for one in done if one.job == 60.0] == ["took longer than 1.5 s, the most that --timeout allows"]
    assert [one.result for one in done if one.job != 60.0] == [0.7] * 12


def test_an_error_reaches_the_caller_and_the_next_call_is_not_disturbed(engine, tmp_path):
    with pytest.raises(KeyError, match="three"):
        list(engine.map(raising, [(tmp_path, number) for number in range(100)]))
    assert len(attempts(tmp_path)) <= 15
    with pytest.raises(NessBenchError, match=r"^a number is negative$"):
        list(engine.map(raising, [(tmp_path, -1)]))
    assert [one.result for one in engine.map(threads, [0])] == ["1"]


@pytest.mark.parametrize("connected_before", [False, True])
def test_where_the_caller_stops_its_jobs_end(cluster, engine, tmp_path, connected_before):
    import ray

    if connected_before:
        ray.init(cluster.address, log_to_driver=False)
    jobs = engine.map(lasting, [(tmp_path, number, 0.0 if number == 0 else 60.0) for number in range(20)])
    assert next(jobs).result == 0
    wait_until(lambda: len(attempts(tmp_path)) == 4)
    jobs.close()
    wait_until(lambda: not any(map(alive, attempts(tmp_path))))
    assert len(attempts(tmp_path)) == 4
    assert ray.is_initialized() == connected_before
    ray.shutdown()


def test_more_gpus_than_there_are(cluster):
    with pytest.raises(NessBenchError, match="has 0 GPUs and a job would take 1"):
        next(Ray(cluster.address, None, gpus=1).map(square, [1]))


def test_a_cluster_of_its_own():
    import ray

    assert sorted(one.result for one in Ray(None, 2).map(square, range(40))) == [n**2 for n in range(40)]
    assert not ray.is_initialized()


def test_an_address_that_does_not_answer():
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        port = unheard.getsockname()[1]
        begin = time.monotonic()
        for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}"):
            with pytest.raises(NessBenchError, match=f"no Ray cluster answers at {address}.*ray start --head"):
                next(Ray(address, None).map(square, [1]))
        assert time.monotonic() - begin < 15
    with pytest.raises(NessBenchError, match="somewhere is no address of a Ray cluster"):
        next(Ray("somewhere", None).map(square, [1]))

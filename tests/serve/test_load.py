"""Many clients at once over a real connection: nothing is lost, nothing mixed up; memory does not grow."""

import pytest

from medsegr.bench.serve import load, memory, running


def test_no_answer_of_many_clients_is_lost_or_mixed_up() -> None:
    with running("threshold") as server:
        told = load(server, requests=20, clients=10)
    assert (told["lost"], told["mixed up"]) == (0, 0)


@pytest.mark.slow
def test_two_hundred_requests_by_twenty_clients_and_memory_over_three_hundred_jobs() -> None:
    with running("threshold", "--queue", "500", "--workers", "2") as server:
        told = load(server, requests=200, clients=20)
        assert (told["lost"], told["mixed up"]) == (0, 0)
        grown = memory(server, 300)
        assert grown["late MB"] - grown["early MB"] < 30

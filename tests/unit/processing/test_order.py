"""The order in which waiting jobs are read."""

from uuid import UUID

from upschedule.processing.order import Costs, Waiting, ahead_of, positions

COSTS = Costs(quick_bound=0.5, slow_bound=10, quick_expected=0.1, slow_expected=8)
HOME, CAMPUS = b"home", b"campus"


def a_job(number: int, *, address: bytes | None = CAMPUS, visitor: int | None = None, **changes: object) -> Waiting:
    values: dict[str, object] = {
        "id": UUID(int=number),
        "account_id": UUID(int=visitor or 1000 + number),
        "address_hash": address,
        "slow": False,
        "established": False,
        "due": True,
        "address_used": 0.0,
        "visitor_used": 0.0,
    }
    return Waiting(**(values | changes))  # pyright: ignore[reportArgumentType] - the values above have the right types


def order(*jobs: Waiting) -> list[int]:
    """The numbers of the jobs in the order of their positions."""
    found = positions(jobs, COSTS)
    return [job_id.int for job_id in sorted(found, key=lambda job_id: found[job_id])]


def test_jobs_of_two_addresses_take_turns() -> None:
    of_campus = [a_job(number) for number in range(1, 5)]
    of_home = [a_job(number, address=HOME) for number in range(5, 7)]
    assert order(*of_campus, *of_home) == [1, 5, 2, 6, 3, 4]


def test_who_has_used_less_comes_first() -> None:
    assert order(a_job(1, address_used=3), a_job(2, address=HOME, address_used=1)) == [2, 1]


def test_short_documents_come_before_slow_ones_of_the_same_address() -> None:
    assert order(a_job(1, slow=True), a_job(2), a_job(3)) == [2, 3, 1]


def test_of_one_address_a_visitor_with_a_history_comes_first_until_he_has_used_more_than_a_new_one_may() -> None:
    newcomer, known = a_job(1), a_job(2, established=True, visitor_used=0.3)
    greedy, refused = a_job(3, established=True, visitor_used=9), a_job(4, visitor_used=0.4)
    assert order(newcomer, refused, greedy, known) == [2, 1, 4, 3]


def test_the_second_document_of_a_visitor_waits_for_the_first_of_the_others() -> None:
    assert order(a_job(1, visitor=7), a_job(2, visitor=7), a_job(3, visitor=8)) == [1, 3, 2]


def test_what_is_not_due_comes_last() -> None:
    assert order(a_job(1, due=False), a_job(2)) == [2, 1]


def test_without_an_address_each_visitor_has_a_share() -> None:
    jobs = [a_job(1, address=None, visitor=7), a_job(2, address=None, visitor=7), a_job(3, address=None, visitor=8)]
    assert order(*jobs) == [1, 3, 2]


def test_a_short_document_does_not_wait_for_the_slow_ones_before_it() -> None:
    """Slow jobs do not use all workers."""
    slow, short = a_job(1, address=HOME, slow=True), a_job(2, address_used=100)
    assert positions([slow, short], COSTS) == {UUID(int=1): 1, UUID(int=2): 1}


def test_a_newcomer_waits_for_those_of_his_own_address_and_not_for_a_greedy_one() -> None:
    waiting = [a_job(number, address=HOME, address_used=20) for number in range(1, 51)]
    assert ahead_of(a_job(99), waiting, COSTS) == 0
    assert ahead_of(a_job(99, address=HOME, address_used=20), waiting, COSTS) == 50
    assert ahead_of(a_job(99, address=HOME, address_used=20, established=True), waiting, COSTS) == 0

"""Rows that outlive the server: order, single ends, numbers of events, what expires."""

import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsegr.errors import InputError
from medsegr.serve.ids import checked, new_id
from medsegr.serve.refusal import Refusal
from medsegr.serve.rows import ImageRow, JobRow, SessionRow
from medsegr.serve.store import Store

IMAGE = ImageRow("i1", "", 1.0, 100.0)


def job(number: int, **changes: object) -> JobRow:
    return replace(JobRow(f"j{number}", "i1", "", "queued", 1.0), **changes)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "a.sqlite")
    made.add_image(IMAGE)
    return made


def test_jobs_are_claimed_in_the_order_in_which_they_came(store: Store) -> None:
    for number in (3, 1, 2):
        store.add_job(job(number), 10)
    assert [row.id for row in (store.claim(), store.claim(), store.claim()) if row] == ["j3", "j1", "j2"]
    assert store.claim() is None


def test_many_threads_never_claim_a_job_twice(store: Store) -> None:
    for number in range(40):
        store.add_job(job(number), 100)
    found: list[str] = []

    def take() -> None:
        while row := store.claim():
            found.append(row.id)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(f"j{number}" for number in range(40))


def test_the_queue_is_bounded_and_jobs_that_have_ended_do_not_count(store: Store) -> None:
    store.add_job(job(1), 2)
    store.add_job(job(2), 2)
    with pytest.raises(Refusal) as refused:
        store.add_job(job(3), 2)
    assert refused.value.code == "queue_full"
    store.add_job(job(4, state="done"), 2)
    store.claim()
    store.add_job(job(3), 2)


def test_no_job_without_its_image(store: Store) -> None:
    with pytest.raises(Refusal) as refused:
        store.add_job(job(1, image="i2"), 2)
    assert refused.value.code == "not_found"


def test_a_job_ends_once(store: Store) -> None:
    store.add_job(job(1), 9)
    store.claim()
    assert store.finish("j1", "cancelled", 10)
    assert not store.finish("j1", "done", 10)
    store.progress("j1", "segment", 1, 2)
    store.found("j1", "f1")
    row = store.job("j1")
    assert row is not None
    assert (row.state, row.stage) == ("cancelled", None)
    assert [(e.number, e.event) for e in store.events("j1")] == [(1, "state"), (2, "state"), (3, "end")]


def test_events_are_numbered_and_read_from_any_number(store: Store) -> None:
    store.add_job(job(1), 9)
    store.claim()
    for done in range(5):
        store.progress("j1", "segment", done, 5)
    assert [e.number for e in store.events("j1")] == list(range(1, 8))
    assert [e.data["done"] for e in store.events("j1", after=5)] == [3, 4]
    assert store.events("j2") == []


def test_a_job_that_is_put_back_is_next_and_its_tries_count(store: Store) -> None:
    store.add_job(job(1), 9)
    store.add_job(job(2), 9)
    store.claim()
    store.requeue("j1")
    again = store.claim()
    assert again is not None
    assert (again.id, again.tries) == ("j1", 2)
    store.requeue("j1", charged=False)
    third = store.claim()
    assert third is not None
    assert third.tries == 2


def test_what_was_committed_is_there_for_the_next_who_opens(store: Store, tmp_path: Path) -> None:
    store.add_job(job(1), 9)
    other = Store(tmp_path / "a.sqlite")  # the first is not closed: as after a kill
    assert other.job("j1") == store.job("j1")
    assert other.image("i1") == IMAGE


def test_a_full_disk_is_told_as_such_and_the_store_goes_on(store: Store) -> None:
    store.add_job(job(1), 10)
    pages = store._base.execute("PRAGMA page_count").fetchone()[0]
    store._base.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.found("j1", "x" * 100_000) if store.claim() else None
    store._base.execute("PRAGMA max_page_count=100000")
    store.add_job(job(2), 10)
    assert {row.id: row.state for row in store.jobs()} == {"j1": "running", "j2": "queued"}


def test_a_change_that_cannot_be_committed_leaves_nothing_open(store: Store) -> None:
    """Deferred foreign keys are looked at by COMMIT alone."""
    store._base.execute("PRAGMA foreign_keys=ON")
    store._base.execute("CREATE TABLE notes (job TEXT REFERENCES jobs (id) DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(sqlite3.IntegrityError), store._change() as base:
        base.execute("INSERT INTO notes VALUES ('nobody')")
    store.add_job(job(1), 10)
    assert store.claim() is not None


def test_an_image_goes_with_its_jobs_and_sessions(store: Store) -> None:
    store.add_job(job(1), 9)
    store.add_session(SessionRow("s1", "i1", None, "", 1.0, 50.0))
    assert store.remove_image("i1") == (["j1"], ["s1"])
    assert (store.job("j1"), store.session("s1"), store.image("i1")) == (None, None, None)
    assert store.events("j1") == []


def test_an_image_stays_while_a_job_of_it_is_not_over(store: Store) -> None:
    store.add_job(job(1), 9)
    assert store.expired(1e9) == ([], [], [])
    store.finish("j1", "done", keep=1000)
    found = store.image("i1")
    assert found is not None
    assert found.expires > IMAGE.expires  # as long as the result that is made of it
    assert store.expired(1e12) == (["i1"], ["j1"], [])


def test_a_job_that_ends_never_shortens_the_life_of_its_image(store: Store) -> None:
    store.add_image(ImageRow("i2", "", 1.0, 1e11))
    store.add_job(job(1, image="i2"), 9)
    store.finish("j1", "done", keep=10)
    found = store.image("i2")
    assert found is not None
    assert found.expires == 1e11


def test_a_session_keeps_its_image(store: Store) -> None:
    store.add_session(SessionRow("s1", "i1", None, "", 1.0, 50.0))
    store.touch_session("s1", 500.0)
    assert store.expired(400.0) == ([], [], [])
    assert store.expired(501.0) == (["i1"], [], ["s1"])
    with pytest.raises(Refusal):
        store.add_session(SessionRow("s2", "i9", None, "", 1.0, 50.0))


def test_files_of_others_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.sqlite").write_text("no database " * 100)
    with pytest.raises(InputError, match="data-dir"):
        Store(tmp_path / "text.sqlite")
    newer = sqlite3.connect(tmp_path / "newer.sqlite")
    newer.execute("PRAGMA user_version=7")
    newer.close()
    with pytest.raises(InputError, match="another version"):
        Store(tmp_path / "newer.sqlite")


@given(st.text(max_size=40))
def test_no_text_that_we_did_not_make_is_an_id(text: str) -> None:
    own = new_id("j")
    assert checked("j", own) == own
    for kind in ("i", "j", "s"):
        if text != own:
            with pytest.raises(Refusal):
                checked(kind, text)  # type: ignore[arg-type]
    with pytest.raises(Refusal):
        checked("i", own)

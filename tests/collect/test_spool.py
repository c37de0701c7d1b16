"""The spool keeps what it accepted until it is delivered, and hands each batch to one owner at a time."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from schoolhouse.collect.spool import Spool, read_stats
from schoolhouse.errors import SpoolFull, UploadFailed

from .parts import bundle

READY = {"limit": 100, "batch_size": 50, "timeout_seconds": 0.0}
LONG = {"limit": 100, "batch_size": 50, "timeout_seconds": 3600.0}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "spool.sqlite"


@pytest.fixture
def spool(path):
    opened = Spool(path)
    yield opened
    opened.close()


def test_what_was_accepted_is_there_after_opening_the_spool_anew(path):
    first = Spool(path)
    first.accept([bundle(b"a", b"b")])
    second = Spool(path)
    (batch,) = second.claim(**READY)
    assert (batch.body, batch.statements, batch.bundles) == (b"a\nb", 2, 1)
    first.close()
    second.close()


def test_a_newline_at_the_end_of_a_bundle_is_no_statement(spool):
    spool.accept([bundle(b"a", b"b", b"")])
    (batch,) = spool.claim(**READY)
    assert (batch.body, batch.statements) == (b"a\nb", 2)


def test_bundles_of_one_group_become_one_batch_in_the_order_they_came(spool):
    for n in range(3):
        spool.accept([bundle(b"%d" % n), bundle(b"x", category="video"), bundle(b"y", section="2")])
    bodies = {str(batch.key.group): batch.body for batch in spool.claim(**READY)}
    assert bodies == {
        "section/1/page_viewed": b"0\n1\n2",
        "section/1/video": b"x\nx\nx",
        "section/2/page_viewed": b"y\ny\ny",
    }


def test_a_batch_is_sealed_when_it_is_full_and_not_before(spool):
    spool.accept([bundle(b"a")] * 49)
    assert spool.claim(**LONG) == []
    spool.accept([bundle(b"a")] * 2)
    assert [batch.bundles for batch in spool.claim(**LONG)] == [50]
    assert [batch.bundles for batch in spool.claim(**READY)] == [1]


def test_a_batch_is_in_one_hand_at_a_time(path, spool):
    spool.accept([bundle(b"a")])
    other = Spool(path)
    assert len(spool.claim(**READY)) == 1
    assert other.claim(**READY) == []
    other.close()


def test_a_batch_whose_lease_ran_out_goes_to_another_with_the_same_key(path):
    dead = Spool(path, lease_seconds=0.05)
    dead.accept([bundle(b"a")])
    (lost,) = dead.claim(**READY)
    time.sleep(0.1)
    other = Spool(path)
    (found,) = other.claim(**READY)
    assert (found.key, found.body) == (lost.key, lost.body)
    dead.delivered([lost])  # too late: the lease is another's
    assert read_stats(path).in_flight == 1
    other.delivered([found])
    assert (read_stats(path).in_flight, read_stats(path).delivered) == (0, 1)
    dead.close()
    other.close()


def test_a_lease_that_is_renewed_does_not_run_out(path):
    slow = Spool(path, lease_seconds=0.2)
    slow.accept([bundle(b"a")])
    slow.claim(**READY)
    other = Spool(path)
    for _ in range(4):
        time.sleep(0.1)
        slow.renew()
        assert other.claim(**READY) == []
    slow.close()
    other.close()


def test_a_batch_that_failed_comes_back_after_its_wait(spool, path):
    spool.accept([bundle(b"a")])
    (batch,) = spool.claim(**READY)
    spool.failed(batch, "no such bucket", wait_seconds=0.2)
    assert spool.claim(**READY) == []
    stats = read_stats(path)
    assert (stats.retrying, stats.queued, stats.failed_attempts, stats.last_error) == (1, 0, 1, "no such bucket")
    time.sleep(0.25)
    (again,) = spool.claim(**READY)
    assert (again.key, again.attempts) == (batch.key, 1)


def test_a_full_spool_accepts_nothing_more_until_something_was_delivered(path):
    spool = Spool(path, max_bytes=25)
    spool.accept([bundle(b"0123456789"), bundle(b"0123456789")])
    with pytest.raises(SpoolFull) as refused:
        spool.accept([bundle(b"0123456789")])
    assert refused.value.http_status == 503
    spool.delivered(spool.claim(**READY))
    spool.accept([bundle(b"0123456789")])
    assert read_stats(path).held_bytes == 10
    spool.close()


def test_a_spool_on_a_disk_that_refuses_says_so(tmp_path):
    (tmp_path / "spool.sqlite").mkdir()
    with pytest.raises(UploadFailed, match="cannot be used"):
        Spool(tmp_path / "spool.sqlite")


def test_many_threads_accept_and_many_claim_and_each_bundle_is_delivered_once(path):
    spools = [Spool(path) for _ in range(3)]
    delivered = []

    def accept(n):
        spools[n % 3].accept([bundle(b"%d" % n, section=str(n % 5))])

    def carry(spool):
        while batches := spool.claim(limit=3, batch_size=7, timeout_seconds=0.0):
            delivered.extend(line for batch in batches for line in batch.body.split(b"\n"))
            spool.delivered(batches)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(accept, range(200)))
        list(pool.map(carry, spools))
    assert sorted(delivered) == sorted(b"%d" % n for n in range(200))
    stats = read_stats(path)
    assert (stats.accepted, stats.delivered, stats.held_bytes, stats.queued) == (200, 200, 0, 0)
    for spool in spools:
        spool.close()


def test_space_is_given_back_after_delivery(path):
    spool = Spool(path)
    spool.accept([bundle(b"x" * 1_000_000, section=str(n)) for n in range(20)])
    spool.delivered(spool.claim(**READY))
    spool.tidy()
    spool.close()
    assert path.stat().st_size < 1_000_000


def test_statistics_count_what_waits_and_how_long(spool, path):
    assert read_stats(path.with_name("none")).queued == 0
    spool.accept([bundle(b"a", b"b"), bundle(b"c", section="2")])
    time.sleep(0.05)
    stats = read_stats(path)
    assert (stats.queued, stats.accepted, stats.held_bytes) == (2, 2, 4)
    assert stats.oldest_age_seconds >= 0.05
    assert stats.accepted_per_second > 0
    assert stats.delivered_per_second == 0

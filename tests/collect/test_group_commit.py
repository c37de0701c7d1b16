"""Callers that come together share a commit, and each gets its own outcome."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from schoolhouse.collect.group_commit import GroupCommit


def test_callers_that_come_during_a_commit_share_the_next_one():
    groups = []
    gate = threading.Event()

    def commit(items):
        gate.wait(10)
        groups.append(list(items))
        return [item * 2 for item in items]

    commits = GroupCommit(commit, limit=100)
    with ThreadPoolExecutor(20) as pool:
        futures = [pool.submit(commits.submit, n) for n in range(20)]
        gate.set()
        assert [future.result() for future in futures] == [n * 2 for n in range(20)]
    assert sorted(n for group in groups for n in group) == list(range(20))


def test_a_group_is_no_larger_than_the_limit():
    sizes = []
    commits = GroupCommit(lambda items: sizes.append(len(items)) or list(items), limit=3)
    with ThreadPoolExecutor(10) as pool:
        assert sorted(pool.map(commits.submit, range(30))) == list(range(30))
    assert max(sizes) <= 3


def test_one_items_error_is_raised_to_its_caller_alone():
    commits = GroupCommit(lambda items: [ValueError("no") if item == 1 else item for item in items], limit=10)
    assert commits.submit(2) == 2
    with pytest.raises(ValueError, match="no"):
        commits.submit(1)


def test_a_commit_that_fails_fails_for_all_and_the_next_one_works():
    answers = iter([OSError("disk"), None])

    def commit(items):
        if error := next(answers):
            raise error
        return list(items)

    commits = GroupCommit(commit, limit=10)
    with pytest.raises(OSError, match="disk"):
        commits.submit(1)
    assert commits.submit(2) == 2


def test_who_is_done_does_not_wait_for_the_next_commit():
    may_end = {1: threading.Event(), 2: threading.Event()}
    begun = {1: threading.Event(), 2: threading.Event()}

    def commit(items):
        begun[items[0]].set()
        assert may_end[items[0]].wait(10)
        return list(items)

    commits = GroupCommit(commit, limit=1)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(commits.submit, 1)
        assert begun[1].wait(10)
        second = pool.submit(commits.submit, 2)
        may_end[1].set()
        assert begun[2].wait(10)
        assert first.result(10) == 1
        assert not second.done()
        may_end[2].set()
        assert second.result(10) == 2


def test_a_group_weighs_no_more_than_the_limit_and_a_heavy_item_goes_alone():
    groups = []
    begun, gate = threading.Event(), threading.Event()

    def commit(items):
        begun.set()
        assert gate.wait(10)
        groups.append(list(items))
        return list(items)

    commits = GroupCommit(commit, limit=10, weigh=lambda item: item)
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(commits.submit, 1)]
        assert begun.wait(10)
        futures += [pool.submit(commits.submit, weight) for weight in (4, 4, 4, 99, 4, 4)]
        gate.set()
        assert sorted(future.result(10) for future in futures) == [1, 4, 4, 4, 4, 4, 99]
    assert all(sum(group) <= 10 or group == [99] for group in groups)

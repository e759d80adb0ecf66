"""Moving windows in Redis are counted exactly, in one round trip, with the clock that is passed in."""

import asyncio

from redis.asyncio import Redis

from upschedule.stores.windows import Window, Windows

TWO = Window(key="limit:two/a", amount=2, seconds=10)
THREE = Window(key="limit:three/a", amount=3, seconds=10)


async def test_a_window_has_room_again_when_its_oldest_time_has_left(redis_state_url: str) -> None:
    async with Redis.from_url(redis_state_url) as redis:
        now = 1000.0
        windows = Windows(redis, store="redis-state", now=lambda: now)
        [first] = await windows.count(TWO)
        now = 1004.0
        [second] = await windows.count(TWO)
        assert [first.had_room, first.remaining, first.resets_at] == [True, 1, 1010.0]
        assert [second.had_room, second.remaining, second.resets_at] == [True, 0, 1010.0]
        now = 1010.0
        [third] = await windows.count(TWO)
        assert [third.had_room, third.remaining] == [False, 0]
        now = 1010.1
        [fourth] = await windows.count(TWO)
        assert [fourth.had_room, fourth.remaining, fourth.resets_at] == [True, 0, 1014.0]


async def test_windows_after_a_full_one_count_nothing_and_those_before_it_do(redis_state_url: str) -> None:
    async with Redis.from_url(redis_state_url) as redis:
        windows = Windows(redis, store="redis-state", now=lambda: 1000.0)
        await windows.count(TWO)
        await windows.count(TWO)
        answers = await windows.count(THREE, TWO, THREE)
        assert [answer.had_room for answer in answers] == [True, False]
        assert (await windows.look(THREE)).remaining == 2


async def test_looking_counts_nothing_and_what_is_given_back_is_free_again(redis_state_url: str) -> None:
    async with Redis.from_url(redis_state_url) as redis:
        windows = Windows(redis, store="redis-state", now=lambda: 1000.0)
        for _ in range(3):
            assert (await windows.look(TWO)).remaining == 2
        await windows.count(TWO)
        await windows.give_back(TWO)
        assert (await windows.look(TWO)).remaining == 2


async def test_a_hundred_requests_at_once_are_counted_exactly(redis_state_url: str) -> None:
    forty = Window(key="limit:forty/a", amount=40, seconds=10)
    async with Redis.from_url(redis_state_url) as first, Redis.from_url(redis_state_url) as second:
        instances = [Windows(redis, store="redis-state", now=lambda: 1000.0) for redis in (first, second)]
        answers = await asyncio.gather(*(instances[number % 2].count(forty) for number in range(100)))
        assert sum(answer.had_room for [answer] in answers) == 40


async def test_a_smaller_limit_counts_what_the_larger_one_has_counted(redis_state_url: str) -> None:
    async with Redis.from_url(redis_state_url) as redis:
        windows = Windows(redis, store="redis-state", now=lambda: 1000.0)
        for _ in range(3):
            await windows.count(THREE)
        smaller = Window(key=THREE.key, amount=2, seconds=10)
        [answer] = await windows.count(smaller)
        assert [answer.had_room, answer.remaining] == [False, 0]

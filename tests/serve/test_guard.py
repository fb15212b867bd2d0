"""The door: hosts, origins, keys, rates, bodies, headers, failures; each refusal has its code and no more."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_calls import Answer, call, echo
from medsegr.serve.auth import Keys
from medsegr.serve.bodies import Bodies, Sizes
from medsegr.serve.guard import Failures, Hosts, guarded, host_of
from medsegr.serve.keys import Keyring, new_key
from medsegr.serve.rates import MOST, Rates, place_of
from medsegr.serve.settings import Settings


def door(app: Any = echo, **changes: Any) -> Any:
    path = changes.get("api_key_file")
    return guarded(app, Settings(rate=0, **changes), Keyring(path) if path else None)


def test_what_is_right_goes_through_with_all_headers() -> None:
    answer = call(door(), "POST", "/v1/jobs", body=[b"12345", b"678"])
    assert answer.status == 200
    assert answer.body == b'{"key": "", "role": "admin", "size": 8}'
    policy = answer.header("content-security-policy") or ""
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("referrer-policy") == "no-referrer"
    assert answer.header("cache-control") == "no-store"
    assert answer.header("server") is None
    assert answer.header("access-control-allow-origin") is None
    assert answer.header("strict-transport-security") is None
    assert call(door(tls=True)).header("strict-transport-security")


def test_files_of_the_page_may_be_kept() -> None:
    assert call(door(), path="/assets/index-12.js").header("cache-control") == "max-age=9"


@pytest.mark.parametrize(
    ("host", "right"),
    [
        ("localhost", True),
        ("LOCALHOST:99", True),
        ("127.0.0.1:1527", True),
        ("[::1]:1527", True),
        ("localhost.", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("localhost, evil.example", False),
        ("localhost@evil.example", False),
        ("localhost:port", False),
        ("", False),
        ("0.0.0.0", False),
    ],
)
def test_hosts_on_loopback(host: str, right: bool) -> None:
    answer = call(door(), headers={"host": host})
    assert answer.status == (200 if right else 400)
    assert right or answer.code == "bad_host"
    assert answer.header("content-security-policy"), "refusals say it, too"


def test_no_host_two_hosts_and_hosts_that_are_let_in(tmp_path: Path) -> None:
    twice = [("host", "localhost"), ("host", "localhost")]
    assert call(door(), headers=twice).code == "bad_host"
    named = door(allow_hosts=("viewer.example",))
    assert call(named, headers={"host": "viewer.example:8"}).status == 200
    assert call(named, headers={"host": "localhost"}).status == 200
    assert call(named, headers={"host": "other.example"}).status == 400
    path = tmp_path / "keys"
    key = {"authorization": f"Bearer {new_key('a', 'read', path)}"}
    wide = door(host="0.0.0.0", api_key_file=path)
    assert call(wide, headers={"host": "any.example", **key}).status == 200
    narrow = door(host="0.0.0.0", api_key_file=path, allow_hosts=("viewer.example",))
    assert call(narrow, headers={"host": "any.example", **key}).code == "bad_host"
    assert call(narrow, headers={"host": "localhost", **key}).code == "bad_host"
    assert call(Hosts(echo), headers=[("host", "")]).code == "bad_host"


@given(st.text(max_size=20))
def test_any_host_header_is_a_name_or_none(text: str) -> None:
    name = host_of(text)
    assert name is None or name == name.lower().strip()


def from_site(app: Any, method: str, path: str = "/v1/jobs", **headers: str) -> Answer:
    return call(app, method, path, {name.replace("_", "-"): value for name, value in headers.items()})


def test_pages_of_other_sites_change_nothing_and_read_nothing() -> None:
    for origin in (
        "https://evil.example",
        "null",
        "http://localhost:9999",
        "http://localhost:1527.evil.example",
    ):
        answer = from_site(door(), "POST", origin=origin)
        assert answer.code == "bad_origin"
        assert answer.header("access-control-allow-origin") is None
    assert from_site(door(), "DELETE", sec_fetch_site="cross-site").code == "bad_origin"
    assert from_site(door(), "GET", sec_fetch_site="cross-site").code == "bad_origin", (
        "an image tag elsewhere"
    )
    assert from_site(door(), "GET", sec_fetch_site="same-site").code == "bad_origin", "another port"
    assert from_site(door(), "GET", "/", sec_fetch_site="cross-site").status == 200, "a link to the page"
    assert (
        from_site(door(), "POST", origin="http://localhost:1527", sec_fetch_site="same-origin").status == 200
    )
    assert from_site(door(), "POST", origin="http://localhost:1527").status == 200
    asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    assert call(door(), "OPTIONS", headers=asked).code == "bad_origin"
    asked["origin"] = "http://localhost:1527"
    assert call(door(), "OPTIONS", headers=asked).status == 405


def test_an_origin_that_is_let_in() -> None:
    app = door(allow_origins=("https://viewer.example/",))
    asked = {"origin": "https://viewer.example", "access-control-request-method": "POST"}
    answer = call(app, "OPTIONS", headers=asked)
    assert answer.status == 204
    assert answer.header("access-control-allow-origin") == "https://viewer.example"
    assert "Authorization" in (answer.header("access-control-allow-headers") or "")
    answer = from_site(app, "POST", origin="https://viewer.example", sec_fetch_site="cross-site")
    assert answer.status == 200
    assert answer.header("vary") == "Origin"
    assert answer.header("cross-origin-resource-policy") == "cross-origin"
    assert answer.header("access-control-allow-credentials") is None
    assert from_site(app, "POST", origin="https://other.example").code == "bad_origin"


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    path = tmp_path / "keys"
    return path, {role: new_key(f"the-{role}", role, path) for role in ("read", "write", "admin")}


def test_keys_open_what_their_role_reaches(keys: tuple[Path, dict[str, str]]) -> None:
    path, known = keys
    app = door(api_key_file=path)
    wanted = {"GET /v1/jobs": "read", "POST /v1/images": "write", "POST /v1/jobs/j1/push": "admin"}
    order = ("read", "write", "admin")
    for route, least in wanted.items():
        method, place = route.split()
        for role, key in known.items():
            answer = call(app, method, place, {"authorization": f"Bearer {key}"})
            if order.index(role) >= order.index(least):
                assert answer.body.startswith(f'{{"key": "the-{role}", "role": "{role}"'.encode())
            else:
                assert (answer.status, answer.code) == (403, "forbidden")


@pytest.mark.parametrize(
    "value",
    [None, "", "Bearer", "Bearer ", "Basic YTpi", "Bearer nonsense", "nonsense", "Bearer a b", "Bearer \xff"],
)
def test_no_key_or_a_wrong_one(keys: tuple[Path, dict[str, str]], value: str | None) -> None:
    app = door(api_key_file=keys[0])
    answer = call(app, headers={} if value is None else {"authorization": value})
    assert (answer.status, answer.code) == (401, "unauthorized")
    assert answer.header("www-authenticate") == "Bearer"
    twice = [("authorization", f"Bearer {keys[1]['read']}")] * 2
    assert call(app, headers=twice).status == 401
    assert call(app, path="/healthz").status == 200
    assert call(app, path="/").status == 200
    assert call(app, path="/openapi.json").status == 401


def test_a_key_that_is_over_is_asked_for_anew(tmp_path: Path) -> None:
    key = new_key("guest", "read", tmp_path / "keys", date(2030, 1, 31))
    app = Keys(echo, Keyring(tmp_path / "keys", lambda: date(2030, 2, 1)))
    answer = call(app, headers={"authorization": f"Bearer {key}"})
    assert (answer.status, answer.code) == (401, "key_expired")
    assert answer.header("www-authenticate") == "Bearer"


def test_a_body_is_not_read_without_a_key(keys: tuple[Path, dict[str, str]]) -> None:
    answer = call(door(api_key_file=keys[0]), "POST", "/v1/images", body=[b"x" * 1000] * 10)
    assert answer.status == 401
    assert answer.pulled == 0
    assert answer.header("connection") == "close"


def test_too_often(keys: tuple[Path, dict[str, str]]) -> None:
    now = [0.0]
    app = Keys(echo, Keyring(keys[0]), Rates(3, lambda: now[0]))
    mine, other = ({"authorization": f"Bearer {keys[1][role]}"} for role in ("read", "write"))
    assert [call(app, headers=mine).status for _ in range(4)] == [200, 200, 200, 429]
    answer = call(app, headers=mine)
    assert answer.code == "too_many_requests"
    assert answer.header("retry-after") == "20"
    assert call(app, headers=mine, client="10.0.0.9").status == 429, "a key counts wherever it is used"
    assert call(app, headers=other).status == 200, "another key is not held up"
    now[0] += 20
    assert [call(app, headers=mine).status for _ in range(2)] == [200, 429]
    wrong = [call(app, headers={"authorization": "Bearer x"}).status for _ in range(4)]
    assert wrong == [401, 401, 401, 429], "guesses are counted by address"
    assert call(app, headers={"authorization": "Bearer x"}, client="10.0.0.9").status == 401
    assert call(app, path="/healthz").status == 200, "a health check is never held up"
    nobody = Keys(echo, None, Rates(1))
    assert [call(nobody, client=None).status for _ in range(2)] == [200, 429]


def test_buckets_are_bounded_and_one_ipv6_subscriber_is_one() -> None:
    rates = Rates(1)
    for n in range(MOST + 50):
        rates.wait(str(n))
    assert len(rates._buckets) == MOST
    assert rates.wait(str(MOST + 49)), "who asked last is remembered"
    assert not rates.wait("0"), "who asked longest ago is forgotten"
    assert place_of("2001:db8::1") == place_of("2001:db8::ffff") != place_of("2001:db8:1::1")
    assert place_of("::ffff:10.0.0.1") == place_of("10.0.0.1")
    assert place_of("fe80::1%eth0") == "fe80::/64"
    assert place_of("") == "local"


def test_a_long_rest_saves_up_a_minute_and_no_more() -> None:
    now = [0.0]
    rates = Rates(3, lambda: now[0])
    assert not rates.wait("a")
    now[0] = 3600.0
    assert [bool(rates.wait("a")) for _ in range(4)] == [False, False, False, True]


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 100))
def test_never_more_than_the_rate_and_retry_after_is_enough(rests: list[float], rate: int) -> None:
    now, let_in = 0.0, 0
    rates = Rates(rate, lambda: now)
    for rest in rests:
        now += rest
        wait = rates.wait("a")
        let_in += not wait
        if wait:
            now += wait
            assert not rates.wait("a")
            let_in += 1
    assert let_in <= rate + now * rate / 60 + 1e-6


SMALL = Sizes(upload=1000, other=100, idle=0.15, grace=0.3, rate=1000.0)


def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    app = Bodies(echo, SMALL)
    answer = call(app, "POST", headers={"content-length": str(2**30)}, body=[b"x" * 50] * 9)
    assert (answer.status, answer.code) == (413, "too_large")
    assert answer.pulled == 0
    for said in ("-1", "1e3", "²", "9" * 400, "5, 5", "+5", ""):
        assert call(app, "POST", headers={"content-length": said}).status in (400, 413)
    assert call(app, "POST", "/v1/images", {"content-length": "1000"}, [b"x" * 1000]).status == 200
    assert call(app, "POST", "/v1/images/example/chest", {"content-length": "101"}).status == 413


def test_a_chunked_body_is_cut_off_where_it_becomes_too_large() -> None:
    answer = call(Bodies(echo, SMALL), "POST", body=[b"x" * 60] * 1000)
    assert (answer.status, answer.code) == (413, "too_large")
    assert answer.pulled == 120
    assert call(Bodies(echo, SMALL), "POST", body=[b"x" * 100]).status == 200


def test_a_body_that_rests_or_drips_is_given_up() -> None:
    resting = call(Bodies(echo, SMALL), "POST", body=[b"x", 5.0, b"x"])
    assert (resting.status, resting.code) == (408, "too_slow")
    dripping = call(Bodies(echo, SMALL), "POST", body=[b"x", 0.05] * 40)
    assert dripping.code == "too_slow"
    assert dripping.pulled < 15
    assert call(Bodies(echo, SMALL), "POST", body=[b"x" * 50, 0.05, b"x" * 50]).status == 200


def test_an_answer_that_the_app_gives_to_a_lost_client_is_replaced() -> None:
    async def polite(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        await send({"type": "http.response.start", "status": 400, "headers": []})
        await send({"type": "http.response.body", "body": b"there was an error parsing the body"})

    assert call(Bodies(polite, SMALL), "POST", body=[b"x" * 101]).code == "too_large"


def test_an_answer_that_had_begun_is_not_answered_twice() -> None:
    async def hasty(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 202, "headers": []})
        while (await receive())["type"] != "http.disconnect":
            pass
        await send({"type": "http.response.body", "body": b"taken"})

    answer = call(Bodies(hasty, SMALL), "POST", body=[b"x" * 101])
    assert (answer.status, answer.body) == (202, b"taken")


def test_failures_tell_their_kind_to_the_log_and_nothing_to_the_client(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise FileNotFoundError("/secret/place/Doe^John.dcm")

    async def half(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError("Doe^John")

    answer = call(door(broken))
    assert (answer.status, answer.code) == (500, "error")
    assert call(door(half)).body == b""
    assert b"Doe" not in answer.body
    assert "FileNotFoundError" in caplog.text
    assert "Doe" not in caplog.text


def test_websockets_are_closed() -> None:
    import asyncio

    sent: list[dict[str, Any]] = []

    async def keep(message: Any) -> None:
        sent.append(message)

    async def run() -> None:
        await Failures(echo)({"type": "websocket", "path": "/"}, keep, keep)  # type: ignore[arg-type]

    asyncio.run(run())
    assert sent == [{"type": "websocket.close", "code": 1008}]

"""Control calls of webhooks, callbacks and events: send now, send wrongly, look at both ways."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adlab.simulator import signals, signing
from adlab.simulator.graph import Graph
from adlab.simulator.webhooks import TOPICS, Mischief
from adlab.simulator.world import AccountWorld

Row = dict[str, Any]
_EMIT_KEYS = frozenset(
    {
        "emit",
        "account",
        "object",
        "value",
        "count",
        "signature",
        "duplicates",
        "reorder",
        "batch",
        "unknown_field",
        "stale_seconds",
    }
)
_SIGNATURES = frozenset({"good", "bad", "missing", "sha1"})


def _json(data: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(data), status, media_type="application/json")


class WebhookControl:
    """Answers ``/__webhooks``, ``/__callbacks`` and ``/__events``.

    Args:
        graph: The simulated API.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def routes(self) -> list[Route]:
        """List the routes."""
        return [
            Route("/__webhooks", self.webhooks, methods=["GET", "POST", "DELETE"]),
            Route("/__callbacks", self.callbacks, methods=["POST"]),
            Route("/__events", self.events, methods=["GET", "POST", "DELETE"]),
        ]

    async def webhooks(self, request: Request) -> Response:
        """List deliveries, emit topics, or send what waits."""
        hooks = self._graph.webhooks
        if request.method == "DELETE":
            hooks.sender.clear()
            hooks.dropped.clear()
        if request.method == "POST":
            try:
                body = orjson.loads(await request.body())
                if "emit" in body:
                    return _json({"queued": self._emit(body)})
                if not set(body) <= {"pump", "advance_seconds"} or not body.get("pump"):
                    raise ValueError("give emit with its keys, or pump (and advance_seconds)")
                ahead = float(body.get("advance_seconds", 0))
                made = await asyncio.to_thread(hooks.sender.pump, ahead)
                return _json({"sent": made})
            except (ValueError, TypeError, KeyError) as problem:
                return _json({"error": str(problem)}, 400)
        return _json(
            {
                "subscriptions": {
                    name: {
                        "callback_url": item.callback_url,
                        "fields": sorted(item.fields),
                        "active": item.is_active,
                    }
                    for name, item in hooks.subscriptions.items()
                },
                "installed": sorted(str(number) for number in hooks.installed),
                "dropped": list(hooks.dropped),
                "deliveries": hooks.sender.listed(),
            }
        )

    def _emit(self, body: Row) -> int:
        wrong = set(body) - _EMIT_KEYS
        if wrong:
            raise ValueError(
                f"unknown key {min(wrong)!r}; known are {', '.join(sorted(_EMIT_KEYS))}"
            )
        kind, topic = str(body.get("object", "ad_account")), str(body["emit"])
        if topic not in TOPICS.get(kind, frozenset()):
            raise ValueError(f"{kind} has no topic {topic!r}")
        signature = body.get("signature", "good")
        if signature not in _SIGNATURES:
            raise ValueError(f"signature must be one of {', '.join(sorted(_SIGNATURES))}")
        number = str(body.get("account", "")).removeprefix("act_")
        account = self._graph.world.accounts.get(int(number)) if number.isdigit() else None
        if kind == "ad_account" and account is None:
            raise ValueError(f"no account {body.get('account')!r}")
        given = body.get("value")
        count = int(body.get("count", 1))
        values = [
            given if given is not None else self._sample(topic, account, turn)
            for turn in range(count)
        ]
        mischief = Mischief(
            signature,
            int(body.get("duplicates", 0)),
            bool(body.get("reorder", False)),
            int(body.get("batch", 1)),
            bool(body.get("unknown_field", False)),
            int(body.get("stale_seconds", 0)),
        )
        return self._graph.webhooks.emit(kind, number, topic, values, mischief)

    def _sample(self, topic: str, account: AccountWorld | None, turn: int) -> Row:
        """Write a value of a topic about an ad of the account, each time another one."""
        now = int(self._graph.clock.now())
        if account is None:
            return {
                "leadgen_id": str(7_010 + turn),
                "page_id": "801",
                "form_id": "601",
                "created_time": now,
            }
        ad = str(account.ads.id[turn % len(account.ads)])
        number = account.profile.number
        issue = signals.issue("ad")
        samples: dict[str, Row] = {
            "effective_status": {
                "object_id": ad,
                "object_type": "ad",
                "changed_fields": ["effective_status"],
            },
            "with_issues_ad_objects": {
                "id": ad,
                **{
                    name: issue[name]
                    for name in ("level", "error_code", "error_summary", "error_message")
                },
            },
            "in_process_ad_objects": {"id": ad, "level": "AD", "status_name": "Paused"},
            "creative_fatigue": {
                "ad_account_id": str(number),
                "adgroup_id": ad,
                "creative_fatigue_level": ("LOW", "MEDIUM", "HIGH")[turn % 3],
                "creative_fatigue_message": "People have seen this ad too often.",
            },
            "ad_recommendations": {
                "ad_account_id": str(number),
                "ad_object_ids": [ad],
                "recommendation_type": "CREATIVE_FATIGUE",
                "recommendation_signature": f"{int(ad):016x}",
                "recommendation_message": "Try new creative.",
                "recommendation_stage": "NEW",
                "recommendation_hash": f"{int(ad) % 10**9:09d}",
            },
            "product_set_issue": {"product_set_id": str(510 + turn), "issue": "NO_PRODUCTS"},
            "ads_async_creation_request": {"id": str(620 + turn), "status": "SUCCESS"},
            "marketing_messages_subscriber_upload_status": {"id": str(630), "status": "DONE"},
        }
        return samples[topic] if topic in samples else self._threshold(account, ad)

    def _threshold(self, account: AccountWorld, ad: str) -> Row:
        rows = self._graph.library.rows(account, "threshold", self._graph.clock.now())
        enabled = [row for row in rows if row["status"] == "ENABLED"]
        if not enabled:
            raise ValueError("the account has no enabled threshold subscription")
        row = enabled[0]
        found: Row = {
            # Reason: deliveries of this topic carry ids as JSON numbers.
            "subscription_id": int(row["id"]),
            "account_id": account.profile.number,
            "object_id": int(ad),
            "object_type": "AD",
        }
        if row["event_type"] != "OBJECT_CREATED":
            found |= {"field": row["field"], "current_value": str(row.get("value", 1))}
        return found

    async def events(self, request: Request) -> Response:
        """List events received by the Conversions API; POST adds one seen in a browser."""
        graph, params = self._graph, request.query_params
        if request.method == "DELETE":
            graph.events.clear()
        try:
            if request.method == "POST":
                body = orjson.loads(await request.body())
                dataset, name = str(body["dataset"]), str(body["event_name"])
                now = graph.clock.now()
                graph.events.seen_in_browser(dataset, name, str(body["event_id"]), now)
            limit = int(params.get("limit", "100"))
        except (ValueError, TypeError, KeyError) as problem:
            return _json({"error": f"missing or wrong: {problem}"}, 400)
        return _json(graph.events.listed(params.get("dataset"), limit))

    async def callbacks(self, request: Request) -> Response:
        """Post a `signed_request` for deauthorization or data deletion to an address."""
        try:
            body = orjson.loads(await request.body())
            answer = await asyncio.to_thread(self._call_back, body)
        except (ValueError, TypeError, KeyError) as problem:
            return _json({"error": str(problem)}, 400)
        return _json(answer)

    def _call_back(self, body: Row) -> Row:
        wrong = set(body) - {"kind", "url", "user_id", "signature", "issued_at", "algorithm"}
        if wrong or body.get("kind") not in {"deauthorize", "data_deletion"}:
            raise ValueError(
                "give kind (deauthorize or data_deletion), url, and perhaps user_id, signature "
                "(good or bad), issued_at, algorithm"
            )
        graph, user = self._graph, str(body.get("user_id", "9001"))
        payload = {
            "algorithm": str(body.get("algorithm", "HMAC-SHA256")),
            "issued_at": int(body.get("issued_at", graph.clock.now())),
            "user_id": user,
        }
        is_good = body.get("signature", "good") == "good"
        text = signing.signed_request(graph.webhooks.secret, payload, is_good=is_good)
        status, answer = signing.call(
            "POST",
            str(body["url"]),
            urlencode({"signed_request": text}).encode(),
            {"content-type": "application/x-www-form-urlencoded"},
        )
        if body["kind"] == "deauthorize" and is_good:
            graph.revoked.add(user)
        return {"status": status, "body": answer, "signed_request": text}

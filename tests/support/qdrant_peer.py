"""A loopback server that answers like Qdrant, or not."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer as LoopbackServer
from qdrant_client import AsyncQdrantClient, models

KEY, KEY_NAME = "qdrant-key-that-nobody-may-see", "QDRANT_KEY_OF_THE_TEST"


class QdrantPeer:
    """A loopback server with the part of Qdrant's REST API that the bank uses; it can misbehave on demand."""

    def __init__(self) -> None:
        self.mode = "ok"
        self.requests = 0
        self.keys: set[str | None] = set()
        self.query_s = 0.0
        """Time of a query, of which it works on one at a time."""
        self._one_query = asyncio.Lock()
        self._store = AsyncQdrantClient(":memory:")
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self.server = LoopbackServer(app)

    @property
    def url(self) -> str:
        return str(self.server.make_url("")).rstrip("/")

    async def lose(self, collection: str) -> None:
        """Restart without its volume."""
        await self._store.delete_collection(collection)

    async def worths(self, collection: str) -> dict[str, float]:
        """Of every seed with a point."""
        points, _ = await self._store.scroll(collection, limit=10_000)
        found = [point.payload for point in points if point.payload]
        return {payload["seed_id"]: payload["worth"] for payload in found if "worth" in payload}

    async def _answer(self, request: web.Request) -> web.Response:
        self.requests += 1
        self.keys.add(request.headers.get("api-key"))
        match self.mode:
            case "hang":
                await asyncio.sleep(60)
            case "error":
                return web.json_response({"status": {"error": KEY}}, status=500)
            case "refuse":
                return web.json_response({"status": {"error": f"bad key {KEY}"}}, status=401)
            case "garbage":
                return web.Response(text="{not json", content_type="application/json")
            case "empty":
                return web.json_response({"result": None, "status": "ok", "time": 0})
        body = await request.json() if request.can_read_body else {}
        result = await self._result(request.method, request.path.split("/")[2:], body)
        return web.json_response({"result": result, "status": "ok", "time": 0})

    async def _result(self, method: str, path: list[str], body: dict[str, Any]) -> Any:
        name, store = path[0], self._store
        done = {"operation_id": 1, "status": "completed"}
        match method, path[1:]:
            case "GET", ["exists"]:
                return {"exists": await store.collection_exists(name)}
            case "GET", []:
                return (await store.get_collection(name)).model_dump(mode="json")
            case "PUT", []:
                return await store.create_collection(name, models.VectorParams(**body["vectors"]))
            case "PUT", ["index"]:
                return done
            case "POST", ["points"]:
                return [point.model_dump(mode="json") for point in await store.retrieve(name, body["ids"])]
            case "PUT", ["points"]:
                await store.upsert(name, [models.PointStruct(**point) for point in body["points"]])
                return done
            case "POST", ["points", "count"]:
                where = models.Filter(**body["filter"]) if body.get("filter") else None
                return {"count": (await store.count(name, where)).count}
            case "POST", ["points", "delete"]:
                if "points" in body:
                    await store.delete(name, models.PointIdsList(points=body["points"]))
                else:
                    await store.delete(name, models.FilterSelector(filter=models.Filter(**body["filter"])))
                return done
            case "POST", ["points", "scroll"]:
                where = models.Filter(**body["filter"]) if body.get("filter") else None
                order_by = models.OrderBy(**body["order_by"])
                points, _ = await store.scroll(name, where, limit=body["limit"], order_by=order_by)
                return {"points": [point.model_dump(mode="json") for point in points]}
            case "POST", ["points", "query"]:
                assert body["params"]["exact"] is True
                if self.query_s:
                    async with self._one_query:
                        await asyncio.sleep(self.query_s)
                where = models.Filter(**body["filter"]) if body.get("filter") else None
                query = body["query"]["nearest"]
                found = await store.query_points(name, query=query, query_filter=where, limit=body["limit"])
                return {"points": [point.model_dump(mode="json") for point in found.points]}
        raise AssertionError(f"the bank requested {method} {path}")

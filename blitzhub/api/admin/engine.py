"""The engine room: workers, queues, parked orders, latencies."""

from typing import Any

from fastapi import APIRouter, Request

from engine.operators.room import EngineRoom

router = APIRouter()


@router.get("/engine")
async def engine(request: Request) -> dict[str, Any]:
    """All of it, a second old at most; `engine/operators/room.py` says what each figure is."""
    room: EngineRoom = request.app.state.engine_room
    return await room.look()

"""Pictures of tokens: uploaded once, drawn anew, served by their hash for ever."""

from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response

from blitzhub.api.dependencies import UPLOADS, InServices, PerAccount, own_origin, trader
from blitzhub.api.models import PROBLEMS, Image
from engine.trading.pictures import load, store

_FOR_EVER: Final = "public, max-age=31536000, immutable"
_UPLOAD: Final = {
    "requestBody": {
        "required": True,
        "content": {
            media_type: {"schema": {"type": "string", "format": "binary"}}
            for media_type in ("image/png", "image/jpeg", "image/webp", "image/gif")
        },
    }
}

router = APIRouter(prefix="/images", tags=["tokens"], responses=PROBLEMS)


@router.post(
    "",
    status_code=201,
    response_model=Image,
    dependencies=[Depends(own_origin), Depends(trader), Depends(PerAccount(UPLOADS))],
    openapi_extra=_UPLOAD,
    summary="Upload a picture",
)
async def upload(request: Request, services: InServices) -> dict[str, Any]:
    """Send the file itself as the body, up to 5 MiB; it is redrawn as WebP of at most 256 pixels a side."""
    image = await store(services, await request.body())
    return {"image": image, "url": f"/api/images/{image}"}


@router.get("/{image}", response_class=Response, summary="A picture")
async def download(image: str, services: InServices) -> Response:
    """The picture's bytes; they never change."""
    media_type, body = await load(services, image)
    return Response(body, media_type=media_type, headers={"Cache-Control": _FOR_EVER})

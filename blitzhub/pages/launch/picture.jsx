// Choosing and cropping the token's picture. It is drawn square here and encoded again by the server.
import { useEffect, useRef, useState } from "react";
import { ImagePlus } from "lucide-react";

const SIDE_PX = 512;
const MAX_BYTES = 20 * 1024 * 1024;
const MOST_ZOOM = 4;

/** The crop as a square: the part of the picture that is kept, in its own pixels. */
function cut({ bitmap, zoom, x, y }) {
  const side = Math.min(bitmap.width, bitmap.height) / zoom;
  return { side, left: (bitmap.width - side) * x, top: (bitmap.height - side) * y };
}

function draw(canvas, crop) {
  const { side, left, top } = cut(crop);
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.drawImage(crop.bitmap, left, top, side, side, 0, 0, canvas.width, canvas.height);
}

/** The cropped picture as a PNG. */
export function pictureBlob(crop) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = Math.min(SIDE_PX, Math.max(64, Math.round(cut(crop).side)));
  draw(canvas, crop);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

async function opened(file) {
  if (file.size > MAX_BYTES) throw new Error("This picture is larger than 20 MB.");
  try {
    return await createImageBitmap(file);
  } catch {
    throw new Error("This file is not a picture we can read: use PNG, JPEG, WebP or GIF.");
  }
}

const within = (value) => Math.min(1, Math.max(0, value));

function Crop({ crop, onCrop }) {
  const canvas = useRef(null);
  const grabbed = useRef(null);
  useEffect(() => draw(canvas.current, crop), [crop]);
  const move = (event) => {
    if (!grabbed.current) return;
    const { side } = cut(crop);
    const scale = side / canvas.current.clientWidth;
    const room = { x: crop.bitmap.width - side, y: crop.bitmap.height - side };
    const dx = (event.clientX - grabbed.current.clientX) * scale;
    const dy = (event.clientY - grabbed.current.clientY) * scale;
    onCrop({
      ...crop,
      x: room.x > 0 ? within(grabbed.current.x - dx / room.x) : 0.5,
      y: room.y > 0 ? within(grabbed.current.y - dy / room.y) : 0.5,
    });
  };
  return (
    <canvas
      ref={canvas}
      width={320}
      height={320}
      className="bh-picture__canvas"
      role="img"
      aria-label="The picture as it will be seen; drag to move"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        grabbed.current = { clientX: event.clientX, clientY: event.clientY, x: crop.x, y: crop.y };
      }}
      onPointerMove={move}
      onPointerUp={() => (grabbed.current = null)}
      onPointerCancel={() => (grabbed.current = null)}
    />
  );
}

export function Picture({ crop, onCrop, error, onError }) {
  const input = useRef(null);
  const [busy, setBusy] = useState(false);
  const choose = async (file) => {
    if (!file) return;
    setBusy(true);
    try {
      onCrop({ bitmap: await opened(file), zoom: 1, x: 0.5, y: 0.5 });
      onError("");
    } catch (problem) {
      onError(problem.message);
    }
    setBusy(false);
  };
  return (
    <div className="bh-picture">
      <div className="bh-picture__box">
        {crop ? (
          <Crop crop={crop} onCrop={onCrop} />
        ) : (
          <button type="button" className="bh-picture__empty" onClick={() => input.current.click()}>
            <ImagePlus aria-hidden className="bh-icon" />
            {busy ? "Reading…" : "Choose a picture"}
          </button>
        )}
      </div>
      <input
        ref={input}
        type="file"
        accept="image/png,image/jpeg,image/webp,image/gif"
        className="bh-visually-hidden"
        tabIndex={-1}
        aria-label="Picture"
        data-testid="launch-image"
        onChange={(event) => {
          choose(event.target.files[0]);
          event.target.value = "";
        }}
      />
      {crop && (
        <div className="bh-picture__tools">
          <input
            type="range"
            min={1}
            max={MOST_ZOOM}
            step={0.05}
            value={crop.zoom}
            aria-label="Zoom"
            onChange={(event) => onCrop({ ...crop, zoom: Number(event.target.value) })}
          />
          <button type="button" className="bh-button bh-button--dense" onClick={() => input.current.click()}>
            Change
          </button>
        </div>
      )}
      {error && (
        <div className="bh-error" role="alert" data-testid="error-image">
          {error}
        </div>
      )}
    </div>
  );
}

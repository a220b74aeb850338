"""Draws the clips: four pictures of five seconds in each language, with their captions.

    python examples/harbor/onboarding/guides/media/draw.py

Needs Pillow and DejaVu Sans, which come with the `evals` extra.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap

from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).parent
SIZE = (640, 360)
SECONDS = 5
SHADES = ("#f4f6fb", "#1f3a5f", "#2f7d6d", "#c8d4e6")
LINES = {
    "en": (
        "A starter kit is a set of dashboards and alerts for one trade.",
        "Choose yours and look at what it makes.",
        "Change every threshold before anything is made.",
        "The receipt lists it all, and one click takes it back.",
    ),
    "de": (
        "Ein Starter-Kit ist ein Satz von Dashboards und Warnungen für eine Branche.",
        "Wählen Sie Ihres und sehen Sie, was es anlegt.",
        "Ändern Sie jeden Grenzwert, bevor etwas angelegt wird.",
        "Der Beleg nennt alles, und ein Klick nimmt es zurück.",
    ),
}


def main() -> None:
    font = ImageFont.truetype(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf", 15)
    for locale, lines in LINES.items():
        first, *rest = [_picture(number, line, font) for number, line in enumerate(lines)]
        clip = HERE / f"starter-kit.{locale}.webp"
        first.save(clip, save_all=True, append_images=rest, duration=SECONDS * 1000, quality=80)
        (HERE / f"starter-kit.{locale}.vtt").write_text(_captions(lines), encoding="utf-8")


def _picture(number: int, line: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    """A page with tiles; the one that is spoken of is filled."""
    ground, dark, strong, pale = SHADES
    picture = Image.new("RGB", SIZE, ground)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, 120, 360), fill=dark)
    for place in range(4):
        left, top = 150 + 235 * (place % 2), 30 + 130 * (place // 2)
        shade = strong if place == number else pale
        pen.rounded_rectangle((left, top, left + 215, top + 110), 10, fill=shade)
        for bar in range(6):
            height = 20 + (bar * 17 + place * 23) % 60
            x = left + 20 + 30 * bar
            pen.rectangle((x, top + 95 - height, x + 16, top + 95), fill=ground)
    pen.text((20, 320), str(number + 1), fill=ground, font=font)
    pen.multiline_text((135, 298), "\n".join(wrap(line, 56)), fill=dark, font=font, spacing=6)
    return picture


def _captions(lines: tuple[str, ...]) -> str:
    cues = [
        f"{_clock(number)} --> {_clock(number + 1)}\n{line}\n" for number, line in enumerate(lines)
    ]
    return "WEBVTT\n\n" + "\n".join(cues)


def _clock(number: int) -> str:
    return f"00:00:{number * SECONDS:02}.000"


if __name__ == "__main__":
    main()

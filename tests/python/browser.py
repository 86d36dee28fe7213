"""A headless Chromium of the system, for the pages of `live` and `report`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright


@contextlib.contextmanager
def browsing(chromium: str, *options: str) -> Iterator[Browser]:
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*root, *options])
        yield browser
        browser.close()


@contextlib.contextmanager
def visiting(browser: Browser, url: str, **options: Any) -> Iterator[Page]:
    """The page in a window of its own, which has nothing to complain about at the end."""
    page = browser.new_page(**options)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith((url, "data:")) else complaints.append("fetch"))
    page.goto(url)
    yield page
    page.close()
    # Chromium itself notes every answer with a status of 400 and above; those the tests provoke.
    assert [text for text in complaints if "the server responded with a status of 503" not in text] == []


# Every text whose contrast to what is behind it is below WCAG's AA.
CONTRASTS = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => {
    const linear = (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = channels(colour).map((c) => linear(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let here = element; here; here = here.parentElement) {
      const colour = getComputedStyle(here).backgroundColor;
      if (channels(colour)[3] !== 0) return colour;
    }
    return getComputedStyle(document.body).backgroundColor;
  };
  const low = [];
  for (const element of document.body.querySelectorAll("*")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest("script")) continue;
    const pair = [luminance(getComputedStyle(element).color), luminance(behind(element))].sort((a, b) => b - a);
    const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (contrast < 4.5) low.push(element.outerHTML.slice(0, 80) + " " + contrast.toFixed(2));
  }
  return low;
}"""

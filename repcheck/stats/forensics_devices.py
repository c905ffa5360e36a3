"""The peak of well-known accelerators, in dense TFLOP/s of one device, by precision.

The figures are the makers' own, of the fastest board of each name (SXM before PCIe, boost clock,
16-bit accumulation where the maker states it), so that a share of the peak errs in favour of the
authors; sparsity is never counted, as training does not use it. Sources, by maker:

* NVIDIA datasheets of K80, P100, V100 and V100S, T4, A10, A30, A40, A100 (A800 alike), L4, L40,
  L40S, RTX A5000 and A6000, H100 and H200 SXM (H800 and GH200 alike), B200 (HGX), and its white
  papers of Turing TU102 (RTX 2080 Ti), Ampere GA102 (RTX 3090), Ada AD102 (RTX 4090), GeForce GTX
  1080 Ti, TITAN X and TITAN V;
* AMD data sheets of Instinct MI100, MI250X (both dies) and MI300X (matrix cores);
* Google Cloud's system architecture pages of TPU v2, v3, v4, v5e, v5p and v6e (a chip).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SINGLE, TENSOR, HALF, EIGHT = "fp32", "tf32", "fp16", "fp8"
_WORDS = {
    "fp32": SINGLE, "float32": SINGLE, "single": SINGLE, "32": SINGLE, "tf32": TENSOR,
    "fp16": HALF, "float16": HALF, "half": HALF, "bf16": HALF, "bfloat16": HALF, "16": HALF,
    "amp": HALF, "mixed": HALF, "fp8": EIGHT, "float8": EIGHT, "8": EIGHT,
}  # fmt: skip
# Pattern of the name; then fp32, tf32, 16-bit and 8-bit, None where the device has none of its own.
# TPUs multiply "fp32" in bfloat16.
_Row = tuple[str, float, float | None, float | None, float | None]
_PEAKS: tuple[_Row, ...] = (
    (r"b200|gb200", 80, 1250, 2500, 5000),
    (r"h100|h200|h800|gh200", 67, 494.7, 989.4, 1978.9),
    (r"a100|a800", 19.5, 156, 312, None),
    (r"v100s", 16.4, None, 130, None),
    (r"v100", 15.7, None, 125, None),
    (r"p100", 10.6, None, 21.2, None),
    (r"k80", 8.74, None, None, None),
    (r"t4", 8.1, None, 65, None),
    (r"l40s", 91.6, 183, 362.1, 733),
    (r"l40", 90.5, 90.5, 181.1, 362.1),
    (r"l4", 30.3, 60, 121, 242.5),
    (r"a40", 37.4, 74.8, 149.7, None),
    (r"a30", 10.3, 82, 165, None),
    (r"a10g?", 35, 70, 140, None),
    (r"a6000", 38.7, 77.4, 154.8, None),
    (r"a5000", 27.8, 55.6, 111.1, None),
    (r"4090", 82.6, 82.6, 330.3, 660.6),
    (r"3090\s?ti", 40, 40, 160, None),
    (r"3090", 35.6, 35.6, 142.3, None),
    (r"2080\s?ti", 14.2, None, 113.8, None),
    (r"1080\s?ti", 11.3, None, None, None),
    (r"titan\s?v", 14.9, None, 119.2, None),
    (r"titan\s?x", 11, None, None, None),
    (r"mi300x", 163.4, 653.7, 1307.4, 2614.9),
    (r"mi250x?", 95.7, None, 383, None),
    (r"mi100", 46.1, None, 184.6, None),
    (r"tpu\s?v?2", 46, None, 46, None),
    (r"tpu\s?v?3", 123, None, 123, None),
    (r"tpu\s?v?4", 275, None, 275, None),
    (r"tpu\s?v?5e", 197, None, 197, None),
    (r"tpu\s?v?5p", 459, None, 459, None),
    (r"tpu\s?v?6e", 918, None, 918, None),
)
_NAME = re.compile(
    r"(?<![a-z0-9])(?:rtx|gtx|geforce|quadro|tesla)?\s?(?:"
    + "|".join(f"({name})" for name, *_ in _PEAKS)
    + r")(?![0-9a-z])"
)
_UNLIKE = re.compile(r"laptop|mobile|max-q|\bmig\b|[1-7]g\.\d+gb")
_TIMES = re.compile(r"(?<![a-z0-9.])(\d{1,5})\s*[x×*]\s*(?=[a-z])")
_HOW_MANY = re.compile(r"(?<![a-z0-9.])(\d{1,5}) x (?=[a-z])|(?<=[\s)])[x×*]\s*(\d{1,5})(?![\w.])")
_TPU_SLICE = re.compile(r"(tpu\s?v?\d[ep]?)-(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """What one device does at most, in TFLOP/s; `precision` is that of the figure.

    `certain`: the precision was stated and is one that the device computes in.
    """

    tflops: float
    precision: str
    certain: bool


def peak_of(device: str, precision: str = "") -> Peak | None:
    """Return a device's peak in a precision, or None where the name tells no single known one.

    Without a precision that is known here, the fastest of the device is taken.
    """
    name = _TPU_SLICE.sub(r"\1", _plain(device))
    if _UNLIKE.search(name):
        return None
    rows = {match.lastindex for match in _NAME.finditer(name)}
    row = rows.pop() if len(rows) == 1 else None
    if row is None:
        return None
    have = dict(zip((SINGLE, TENSOR, HALF, EIGHT), _PEAKS[row - 1][1:], strict=True))
    wanted = {_WORDS[word] for word in re.findall(r"[a-z]*\d+|[a-z]+", precision.lower())
              if word in _WORDS}  # fmt: skip
    if len(wanted) == 1 and (peak := have[next(iter(wanted))]) is not None:
        asked = next(iter(wanted))
        # Frameworks compute "fp32" in TF32 where the device can.
        faster = have[TENSOR] if asked == SINGLE else None
        best = max(peak, faster or 0.0)
        return Peak(tflops=best, precision=TENSOR if best != peak else asked, certain=True)
    fastest = max((peak, kind) for kind, peak in have.items() if peak is not None)
    return Peak(tflops=fastest[0], precision=fastest[1], certain=False)


def devices_in(device: str) -> int:
    """Return how many devices a text like `8x A100-80GB` names, 0 if it names no number."""
    found = [int(before or behind) for before, behind in _HOW_MANY.findall(_plain(device))]
    return found[0] if len(found) == 1 else 0


def _plain(device: str) -> str:
    return _TIMES.sub(r"\1 x ", re.sub(r"[-_]+(?!\d+\b)", " ", device.lower()))

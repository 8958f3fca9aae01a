"""The verdict as a paragraph that a person can act on."""

from leadscore.compare.answer import Verdict
from leadscore.compare.refit_noise import RefitNoise

__all__ = ["refit_words", "verdict_words"]


def refit_words(noise: RefitNoise, unchecked: str | None, names: tuple[str, str], alpha: float) -> str:
    """Return what is known about refits, one sentence."""
    if unchecked == "one seed a run":
        return "Refit noise was not checked: one seed a run (validation.seeds=5 refits five times)."
    if unchecked:
        return f"Refit noise was not checked: {unchecked}."
    spread = " and ".join(
        f"{sd:.4f} ({name})" for name, sd in zip(names, (noise.sd_a, noise.sd_b), strict=True) if sd is not None
    )
    how = f"Refits of the same config scatter with a standard deviation of {spread}"
    alone = [name for name, seeds in zip(names, (noise.seeds_a, noise.seeds_b), strict=True) if seeds == 1]
    if alone:
        how += f" ({alone[0]} has one seed and is taken to scatter alike)"
    if noise.exceeds:
        return f"{how}; the difference exceeds what they show among themselves."
    if noise.p_without is not None and noise.p_without < alpha:
        return f"{how}; without them {p_words(noise.p_without)}, so the difference may be a refit's luck."
    return f"{how}, which the interval includes."


def p_words(p: float) -> str:
    """Return a p-value as text.

    Examples
    --------
    >>> p_words(0.0421), p_words(0.00001)
    ('p = 0.042', 'p < 0.0001')
    """
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}"


def verdict_words(found: Verdict) -> str:
    """Return the paragraph."""
    a, b = found.name_a, found.name_b
    if found.answer == "not comparable":
        return f"{a} and {b} are not comparable: {'; '.join(found.differs)}."
    rows = f"on {found.n:,} observations of {found.leads:,} leads, {found.positives:,} of which converted"
    if found.answer == "too few positives":
        return f"No verdict on {b} against {a}: {found.reason}. {_values(found)}, {rows}."
    opening = {
        "better": f"{b} is better than {a}.",
        "worse": f"{b} is worse than {a}.",
        "no evidence": f"No evidence that {b} is better or worse than {a}.",
    }[found.answer]
    return " ".join([opening, *_evidence(found, rows), *(f"Note: {note}." for note in found.notes)])


def _values(found: Verdict) -> str:
    if found.a is None or found.b is None or found.difference is None:
        return f"{found.title} is undefined"
    return f"{found.title} {found.b:.4f} against {found.a:.4f}, a difference of {found.difference:+.4f}"


def _evidence(found: Verdict, rows: str) -> list[str]:
    assert found.low is not None
    assert found.high is not None
    assert found.p is not None
    interval = f"{found.level * 100:g}% interval {found.low:+.4f} to {found.high:+.4f}"
    lines = [f"{_values(found)} ({interval}, {p_words(found.p)}), {rows}."]
    if found.direction == "lower":
        lines.append("Lower is better.")
    if found.p_adjusted is not None and found.family != 1:
        lines.append(f"Of {found.family:,} comparisons on these rows: {p_words(found.p_adjusted)} after Holm.")
    if found.expected_by_luck is not None:
        luck = f"{found.expected_by_luck:.4f} better than one of them by luck"
        lines.append(f"{found.name_b} is the best of {found.best_of:,}: of equal models the best looks {luck}.")
    if len(found.folds) > 1:
        each = ", ".join(f"{fold.difference:+.4f}" for fold in found.folds)
        lines.append(f"Mean over {len(found.folds)} folds: {each}.")
    if found.smallest_detectable is not None:
        lines.append(f"Data like these show a difference of {found.smallest_detectable:.4f} four times in five.")
    elif found.difference == 0:
        lines.append("Both measure alike on every choice of leads, so there is nothing to test.")
    else:
        lines.append("Every choice of leads gives the same difference, so its interval has no width.")
    if found.refit is not None:
        lines.append(found.refit.text)
    lines.append(f"Method: {found.method}.")
    return lines

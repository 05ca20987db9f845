"""Plans in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trustsem.display import number, text_table, wrap

if TYPE_CHECKING:
    from trustsem.planning.answer import Plan

__all__ = ["describe"]


def describe(plan: Plan) -> str:
    """Return a plan as some lines of text."""
    wide = plan.goal == "ci_width"
    aim = f"intervals of {100 * (1 - plan.alpha):g} % with an average width of {plan.target:g}" if wide else f"power of {plan.target:g}"
    name = "Average width" if wide else "Power"
    lines = wrap(f"Plan for {aim}: {plan.what}{'' if wide or plan.goal == 'model_choice' else f' (alpha = {plan.alpha:g})'}")
    if plan.answer is None:
        lines += wrap(plan.reason, indent="  ")
    else:
        rows = f" (n = {plan.rows:,})" if plan.over != "n" and plan.rows is not None else ""
        between = f", 95 % interval {_shown(plan.interval[0])} to {_shown(plan.interval[1])}" if plan.interval else ""
        lines.append(f"  {plan.over} = {_shown(plan.answer)}{rows}{between}")
        lines.append(f"  {name} there {plan.power:.3f} (Monte Carlo error {plan.mc_error:.3f}), from {plan.replications:,} replications")
        failures = "averages are of those" if wide else "the others count as no success"
        lines.append(f"  Converged near it: {100 * plan.convergence:.1f} % ({failures})")
        if plan.reason:
            lines += wrap(plan.reason, indent="  ")
    if plan.analytic is not None:
        lines += wrap(f"By formula: {plan.over} = {_shown(plan.analytic)} ({plan.analytic_note})", indent="  ")
    lines.append("")
    table = plan.evaluated
    rows_ = [
        [_shown(row[0]), _shown(row[1]), number(float(row[3])), number(float(row[4])), number(100 * float(row[5]), 1)] for row in table.to_numpy()
    ]
    heads = [plan.over, "replications", "width" if wide else "power", "mc_error", "% converged"]
    return "\n".join([*lines, *text_table(heads, rows_)])


def _shown(value: float) -> str:
    return f"{round(value):,}" if float(value).is_integer() else f"{value:.3g}"

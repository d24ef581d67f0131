"""The words that stand under every table and figure: from which posterior ensembles were drawn, and how often."""

from ness_bench.sampling.diagnostics import BANDWIDTH
from ness_bench.studies.samplers import SamplerPlan
from ness_bench.tables.named import table_named
from ness_bench.tables.table import EXAMPLES, SOURCES


def protocol(plan: SamplerPlan) -> str:
    """How the numbers of a table or figure came about, in plain text."""
    table = table_named(plan.table)
    examples = EXAMPLES[SOURCES[plan.dataset]["val"][0]]["val"]
    return (
        f"Study {plan.name}: p is the posterior over all architectures, log p = {examples:,} log(accuracy) / "
        f"temperature + constant, by validation accuracies on {plan.dataset} after {plan.epochs} epochs, means over "
        f"the seeds there are, of a table ({table.source}; digest {table.digest[:12]}…). q is the product of "
        f"categoricals nearest to p; each sampler draws {plan.ensembles} ensembles from it in a repetition. Means over "
        f"{plan.repetitions} repetitions with 95 % percentile bootstrap intervals. Accuracies are those of an "
        f"ensemble's members on val: their mean, and the best. MMD² (kernel bandwidth {BANDWIDTH:g}) is 0 where the "
        "members stand for q perfectly; the effective sample size (ESS) is how many independent draws from q they are "
        "worth, too large on average if few ensembles were drawn."
    )

"""A study's tables, figures and page, remade from its records. Each kind of study has a folder of its own here."""

import json
from pathlib import Path

import pandas as pd

from ness_bench.files import write_atomically
from ness_bench.reports.ablations import report as ablations
from ness_bench.reports.ensembles import report as ensembles
from ness_bench.reports.page import Page, PageFigure, render
from ness_bench.reports.samplers import report as samplers
from ness_bench.reports.style import save_figures, svg_of
from ness_bench.reports.text import write_texts
from ness_bench.reports.trials import report as trials
from ness_bench.reports.written import Findings, Written
from ness_bench.studies.ablations import AblationPlan
from ness_bench.studies.ensembles import EnsemblePlan
from ness_bench.studies.plan import Plan
from ness_bench.studies.samplers import SamplerPlan
from ness_bench.studies.study import Study, load_records, read_study
from ness_bench.studies.trials import TrialPlan


def write_report(folder: Path) -> Written:
    """Write what the plan of a study asks for: `tables/`, `figures/`, `index.html`.

    Raises:
        NessBenchError: the folder is no study, or runs of it are missing or failed.
    """
    study = read_study(folder)
    plan, found = study.plan, _findings(study.plan, load_records(folder))
    files: list[Path] = []
    if "tables" in plan.reports:
        files += write_texts(found.texts, folder / "tables")
    if "figures" in plan.reports:
        files += save_figures(found.figures, folder / "figures")
    if "page" in plan.reports:
        html = render(_page(study, found))
        write_atomically(folder / "index.html", lambda file: file.write(html.encode()))
        files.append(folder / "index.html")
    return Written(files, found.shown, found.note)


def _findings(plan: Plan, records: pd.DataFrame) -> Findings:
    if isinstance(plan, AblationPlan):
        return ablations.findings(plan, records)
    if isinstance(plan, EnsemblePlan):
        return ensembles.findings(plan, records)
    if isinstance(plan, TrialPlan):
        return trials.findings(plan, records)
    assert isinstance(plan, SamplerPlan)
    return samplers.findings(plan, records)


def _page(study: Study, found: Findings) -> Page:
    figures = []
    for name, drawn in found.figures.items():
        caption = drawn.caption if drawn.how == found.protocol else f"{drawn.caption} {drawn.how}"
        figures.append(PageFigure(name, caption, svg_of(name, drawn.figure)))
    return Page(
        title=study.plan.name,
        subject=found.subject,
        facts=[f"{len(study.runs):,} runs", f"ness_bench {study.version}", f"data {study.digest[:12]}…"],
        protocol=found.protocol,
        warnings=found.warnings,
        tables=found.page_tables,
        figures=figures,
        environment=study.environment,
        plan=json.dumps(study.plan.model_dump(), indent=2, ensure_ascii=False),
    )

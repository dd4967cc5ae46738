"""The tool that turns a table of questions into an interview plan for a panel."""

from __future__ import annotations

from pathlib import PurePosixPath

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.docx.build import build_docx
from deskmate_documents.tables import pick_file
from deskmate_hr.interviews import plan_problems, read_plan, structure_of

PLAN = "interview-plan.docx"
TITLE = "Interview plan"


def interview_plan(
    context: ToolContext, path: str = "", output: str = "", request: str = ""
) -> ToolAnswer:
    """Make an interview plan of a table of questions: who asks what, anchored scales, a score sheet; nothing unlawful in it.

    The table has a row a question: competency, question, interviewer, and what a weak, a good and an excellent answer
    contains. Questions about protected matters or pay history, and gaps, are refused by row.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the table (CSV, XLSX). Empty: the one there.
        output: workspace path of the plan, a .docx. Empty: interview-plan.docx beside the table.
        request: the user's words; a file named there is taken if `path` is empty.

    Returns:
        `output`; `competencies`: name → number of questions; `interviewers`: name → number of questions.

    Raises:
        ToolInputError: a column or field is missing, a question is asked twice, or it may not be asked.
    """
    path = path or pick_file(
        context.workspace,
        (".csv", ".tsv", ".xlsx", ".xlsm"),
        what="interview questions",
        hints=("interview", "question", "scorecard"),
        request=request,
    )
    name = context.name_of(context.file(path))
    questions = read_plan(context.file(path), path)
    wrong = list(plan_problems(questions))
    if wrong:
        raise ToolInputError(f"No plan yet: {'; '.join(wrong[:12])}.")
    wanted = output or str(PurePosixPath(name).parent / PLAN)
    if not wanted.lower().endswith(".docx"):
        raise ToolInputError(f"{wanted} cannot be the plan; give a new name that ends in .docx.")
    target = context.target(wanted)
    build_docx(structure_of(TITLE, questions), target)
    deliverable = Deliverable(
        path=context.name_of(target),
        title=TITLE,
        role="interview_plan",
        sources={"questions": name},
    )
    competencies: dict[str, int] = {}
    interviewers: dict[str, int] = {}
    for one in questions:
        competencies[one.competency] = competencies.get(one.competency, 0) + 1
        interviewers[one.interviewer] = interviewers.get(one.interviewer, 0) + 1
    result = {
        "output": deliverable.path,
        "source": name,
        "questions": len(questions),
        "competencies": competencies,
        "interviewers": interviewers,
    }
    return ToolAnswer(result=result, deliverables=(deliverable,))

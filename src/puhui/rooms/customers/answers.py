"""Working on cases: opening them with their legal clock, looking into them, answering, closing."""

from puhui.engines import law
from puhui.engines.law import Laws
from puhui.foundation.refusals import NotFound, WrongState
from puhui.foundation.work import Work
from puhui.rooms.customers import store
from puhui.rooms.customers.case import FOLLOWS, Case, Kind, State, clock_of
from puhui.vocabulary import ids
from puhui.vocabulary.events import CaseClosed, CaseOpened


async def open_case(
    work: Work, *, customer_id: str, kind: Kind, subject: str, text: str, proof_ref: str = "", request: str = "", laws: Laws | None = None
) -> Case:
    """Open a case; its clock starts today. One about the same subject that still waits for its answer is given
    back instead of a second, but for complaints and questions: each has words of its own.

    `request` names the request that opens it: the same one again opens no second, whatever the kind.
    """
    await store.lock_customer(work, customer_id)
    named = ids.derive("ca", customer_id, customer_id, f"{kind.value}|{request}") if request else ""
    if named and (known := await store.lock_case(work, customer_id, named)):
        return known
    if kind not in {Kind.COMPLAINT, Kind.QUESTION} and (waiting := await store.open_case_of(work, customer_id, kind, subject)):
        return waiting
    clock, refs = clock_of(kind, on=work.today, laws=laws or law.shipped())
    k = await store.count_cases(work, customer_id, kind) + 1
    case_id = named or ids.derive("ca", customer_id, customer_id, kind.value, k)
    packs = tuple(f"{ref.pack}@{ref.since.isoformat()}:{ref.sha256[:12]}" for ref in refs)
    case = Case(customer_id, case_id, kind, subject, text, State.OPENED, work.at, clock.due(work.today), packs, proof_ref)
    await store.add_case(work, case, k)
    work.emit(CaseOpened(customer_id, case_id, kind.value, subject, case.due))
    return case


async def investigate(work: Work, *, customer_id: str, case_id: str) -> Case:
    """Say that a person looks into the case. Raises WrongState."""
    case = await _demand(work, customer_id, case_id, State.INVESTIGATED)
    await store.set_case_state(work, case, State.INVESTIGATED)
    return case


async def answer(work: Work, *, customer_id: str, case_id: str, outcome: str, text: str) -> Case:
    """Answer a case: the legal clock stops. `outcome` is a word (upheld, declined, partly, ...), `text` what the person reads. Raises WrongState."""
    case = await _demand(work, customer_id, case_id, State.ANSWERED)
    await store.answer_case(work, case, outcome=outcome, answer=text)
    work.emit(CaseClosed(customer_id, case_id, case.kind.value, case.subject, outcome))
    return await find(work, customer_id=customer_id, case_id=case_id)


async def mediate(work: Work, *, customer_id: str, case_id: str) -> Case:
    """Say that the person was not content and a mediator has it. Raises WrongState."""
    case = await _demand(work, customer_id, case_id, State.MEDIATED)
    await store.set_case_state(work, case, State.MEDIATED)
    return case


async def close_case(work: Work, *, customer_id: str, case_id: str) -> Case:
    case = await _demand(work, customer_id, case_id, State.CLOSED)
    await store.set_case_state(work, case, State.CLOSED)
    return case


async def find(work: Work, *, customer_id: str, case_id: str) -> Case:
    """Raises NotFound."""
    found = await store.find_case(work, customer_id, case_id)
    if found is None:
        raise NotFound(what="case", which=case_id)
    return found


async def _demand(work: Work, customer_id: str, case_id: str, wanted: State) -> Case:
    case = await store.lock_case(work, customer_id, case_id)
    if case is None:
        raise NotFound(what="case", which=case_id)
    if wanted not in FOLLOWS[case.state]:
        raise WrongState(what="the case", state=case.state.value, possible=", ".join(state.value for state in FOLLOWS[case.state]) or "nothing")
    return case

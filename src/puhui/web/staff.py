"""The doors of staff: `/staff/v1`, by token, least privilege at every request."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from puhui.foundation.desk import Desk
from puhui.foundation.refusals import BadField
from puhui.journeys import differences, office
from puhui.rooms.staff import Member, TokenNotTaken
from puhui.web.doors import Door
from puhui.web.wire import Reply, answer, key_of, once, parse, plain, read_body, reply_to, texts_of

Ask = Callable[[Desk, Member, Request, Any], Awaitable[Any]]


async def log_in(request: Request) -> Response:
    """`POST /staff/v1/login` -> `{token, staff_id, roles}`."""
    desk: Desk = request.app.state.desk

    async def call() -> Reply:
        return Reply(await office.log_in(desk, parse(await read_body(request), office.LogIn)))

    return plain(await answer(call, where="staff/login"))


async def log_out(request: Request) -> Response:
    """`POST /staff/v1/logout`: the token is worth nothing any more."""
    desk: Desk = request.app.state.desk

    async def call() -> Reply:
        await office.log_out(desk, _token(request))
        return Reply(status=204)

    return plain(await answer(call, where="staff/logout"))


async def _cases(desk: Desk, member: Member, _request: Request, _body: None) -> Any:
    return await office.cases(desk, member)


async def _answer_case(desk: Desk, member: Member, request: Request, body: office.Answer) -> Any:
    return await office.answer_case(desk, member, request.path_params["case_id"], body)


async def _hardships(desk: Desk, member: Member, _request: Request, _body: None) -> Any:
    return await office.hardships(desk, member)


async def _ease(desk: Desk, member: Member, request: Request, body: office.Ease) -> Any:
    return await office.ease(desk, member, request.path_params["case_id"], body)


async def _refuse_ease(desk: Desk, member: Member, request: Request, body: office.RefuseEase) -> Any:
    return await office.refuse_ease(desk, member, request.path_params["case_id"], body)


async def _write_offs(desk: Desk, member: Member, _request: Request, _body: None) -> Any:
    return await office.write_offs(desk, member)


async def _write_off(desk: Desk, member: Member, request: Request, body: office.WriteOff) -> Any:
    return await office.write_off(desk, member, request.path_params["loan_id"], body)


async def _approvals(desk: Desk, member: Member, _request: Request, _body: None) -> Any:
    return await office.approvals(desk, member)


async def _approve(desk: Desk, member: Member, request: Request, _body: None) -> Any:
    return await office.approve(desk, member, request.path_params["approval_id"])


async def _decline(desk: Desk, member: Member, request: Request, body: office.Why) -> Any:
    return await office.decline(desk, member, request.path_params["approval_id"], body)


async def _switch(desk: Desk, member: Member, request: Request, body: office.Switch) -> Any:
    return await office.switch(desk, member, request.path_params["name"], body)


async def _suspend(desk: Desk, member: Member, request: Request, body: office.Why) -> Any:
    return await office.suspend_partner(desk, member, request.path_params["partner_id"], body)


async def _board(desk: Desk, member: Member, request: Request, _body: None) -> Any:
    return await office.board(desk, member, request.path_params["name"])


async def _trial_balance(desk: Desk, member: Member, request: Request, _body: None) -> Any:
    return await office.trial_balance(desk, member, request.query_params.get("on", ""))


async def _bureau(desk: Desk, member: Member, _request: Request, _body: None) -> Any:
    return await office.bureau_state(desk, member)


async def _audit(desk: Desk, member: Member, request: Request, _body: None) -> Any:
    after = request.query_params.get("after", "0")
    if not (after.isascii() and after.isdigit() and len(after) < 19):
        raise BadField(field="after", why="a whole number")
    return await office.audit(desk, member, int(after))


async def _parked_events(desk: Desk, member: Member, _request: Request, _body: None) -> Any:
    return await office.parked_events(desk, member)


async def _send_event_again(desk: Desk, member: Member, request: Request, _body: None) -> Any:
    return await office.send_event_again(desk, member, request.path_params["event_id"])


async def _differences(desk: Desk, member: Member, _request: Request, _body: None) -> Any:
    return await differences.differences(desk, member)


async def _explain(desk: Desk, member: Member, _request: Request, body: differences.Explain) -> Any:
    return await differences.explain(desk, member, body)


async def _unmatched(desk: Desk, member: Member, _request: Request, _body: None) -> Any:
    return await differences.unmatched(desk, member)


async def _match(desk: Desk, member: Member, request: Request, body: differences.Match) -> Any:
    return await differences.match(desk, member, request.path_params["receipt_id"], body)


DOORS = [
    Door("GET", "/staff/v1/cases", "staff_cases", "Cases that wait, the most urgent first.", _cases),
    Door("POST", "/staff/v1/cases/{case_id}/answer", "staff_answer_case", "Answer a case.", _answer_case, office.Answer),
    Door("GET", "/staff/v1/hardships", "staff_hardships", "Pleas that wait.", _hardships),
    Door("POST", "/staff/v1/hardships/{case_id}/ease", "staff_ease", "Ask for a second yes to easing a loan, or ease it.", _ease, office.Ease),
    Door("POST", "/staff/v1/hardships/{case_id}/refuse", "staff_refuse_ease", "Refuse a plea.", _refuse_ease, office.RefuseEase),
    Door("GET", "/staff/v1/write-offs", "staff_write_offs", "Loans whose write-off is proposed.", _write_offs),
    Door("POST", "/staff/v1/loans/{loan_id}/write-off", "staff_write_off", "Ask for a second yes to a write-off, or do it.", _write_off, office.WriteOff),
    Door("GET", "/staff/v1/approvals", "staff_approvals", "Requests that wait for a second yes.", _approvals),
    Door("POST", "/staff/v1/approvals/{approval_id}/approve", "staff_approve", "Say the second yes.", _approve),
    Door("POST", "/staff/v1/approvals/{approval_id}/decline", "staff_decline", "Say no, with the reason.", _decline, office.Why),
    Door("POST", "/staff/v1/switches/{name}", "staff_switch", "Stop or resume pay-outs, the sale, or deciding.", _switch, office.Switch),
    Door("POST", "/staff/v1/partners/{partner_id}/suspend", "staff_suspend_partner", "Suspend a partner at once.", _suspend, office.Why),
    Door("GET", "/staff/v1/partner-events", "staff_partner_events", "Events that a partner did not take for a day.", _parked_events),
    Door("POST", "/staff/v1/partner-events/{event_id}/send", "staff_send_event_again", "Send such an event again.", _send_event_again),
    Door("GET", "/staff/v1/boards/{name}", "staff_board", "One board.", _board),
    Door("GET", "/staff/v1/trial-balance", "staff_trial_balance", "The trial balance at the end of a day (query `on`).", _trial_balance),
    Door("GET", "/staff/v1/differences", "staff_differences", "Differences to the rail's and the funders' books.", _differences),
    Door("POST", "/staff/v1/differences", "staff_explain", "Say why a difference arose, or that it is put right.", _explain, differences.Explain),
    Door("GET", "/staff/v1/unmatched", "staff_unmatched", "Money that names no debt.", _unmatched),
    Door("POST", "/staff/v1/unmatched/{receipt_id}/match", "staff_match", "Give such money its loan.", _match, differences.Match),
    Door("GET", "/staff/v1/bureau", "staff_bureau", "What was reported, waits, was rejected.", _bureau),
    Door("GET", "/staff/v1/audit", "staff_audit", "The audit from a place on (query `after`).", _audit),
]


def _route(door: Door) -> Route:
    async def endpoint(request: Request) -> Response:
        return await _guarded(request, door)

    return Route(door.path, endpoint, methods=[door.method])


async def _guarded(request: Request, door: Door) -> Response:
    """Recognize the member, parse, answer once per key."""
    desk: Desk = request.app.state.desk
    replayed = False
    try:
        texts_of(request.path_params | dict(request.query_params))
        member = await office.member_of(desk, _token(request))
        raw = await read_body(request)

        async def call() -> Reply:
            body = parse(raw, door.body) if door.body else None
            return Reply(await door.answer(desk, member, request, body))

        if door.method == "POST":
            scope = request.url.path
            reply, replayed = await once(desk, sender=member.staff_id, key=key_of(request), scope=scope, body=raw, call=call)
        else:
            reply = await answer(call, where=door.name)
    except Exception as error:  # noqa: BLE001  (the door is where a fault becomes an answer)
        reply = reply_to(error, where=door.name)
    return plain(reply, replayed=replayed)


def _token(request: Request) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise TokenNotTaken
    return token


ROUTES = [
    Route("/staff/v1/login", log_in, methods=["POST"]),
    Route("/staff/v1/logout", log_out, methods=["POST"]),
    *(_route(door) for door in DOORS),
]

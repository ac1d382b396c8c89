"""The commands of the driver, each a few steps around one run of the engine."""

import json
import sys
from collections.abc import Sequence
from typing import Any

from stack import checkpoint, drills, verdicts
from stack.errors import StackError
from stack.session import Session
from stack.steps import Action

NO_QUESTIONS = ("--yes", "--skip-preview")


def up(session: Session, extra: Sequence[str], *, preview_first: bool = False) -> int:
    """Converges the stack: free its lock, make it, repair it, update it, print the verdicts."""
    session.free_lock()
    state = session.ensure()
    _repair(session, state)
    session.forget_lost(session.existing() if state.pending else state)
    if _asks_refresh(extra):
        _prepare_refresh(session)
    questions = ("--yes",) if preview_first else NO_QUESTIONS
    before = verdicts.kept(session.receipts)
    code = session.engine.run("up", "-s", session.stack, *questions, *extra)
    if code and _took_over(session):
        session.say("what was there already is ours and now in the state; updating once more")
        code = session.engine.run("up", "-s", session.stack, *questions, *extra)
    if code:
        _say_table(session, verdicts.of_files(verdicts.kept(session.receipts) - before))
        session.refuse_if_locked()
        return code
    return verdict_table(session)


def preview(session: Session, extra: Sequence[str]) -> int:
    """The engine's preview; takes no lock, so it runs beside an update."""
    if _asks_refresh(extra):
        _prepare_refresh(session)
    return session.engine.run("preview", "-s", session.stack, *extra)


def refresh(session: Session, extra: Sequence[str]) -> int:
    """Reads the real world back into the state, unless a store gives no clear answer."""
    session.free_lock()
    _repair(session, session.existing())
    _prepare_refresh(session)
    questions = () if "--preview-only" in extra else NO_QUESTIONS
    code = session.engine.run("refresh", "-s", session.stack, *questions, *extra)
    if code:
        session.refuse_if_locked()
    return code


def destroy(session: Session, extra: Sequence[str], *, confirmed: bool = False) -> int:
    """Removes all but the protected resources and what they need; buckets and data stay.

    Says first what stays. Raises StackError if a bucket of the state is not protected.
    """
    if not confirmed and not sys.stdin.isatty():
        raise StackError(
            "destroy asks before it removes anything: pass --yes where nobody can answer"
        )
    session.free_lock()
    _repair(session, session.existing())
    state = session.existing(secrets=True)
    exposed = [checkpoint.name_of(r) for r in checkpoint.deletable_buckets(state.resources)]
    if exposed:
        raise StackError(
            f"{', '.join(exposed)} would be deleted or changed on the store: the state does not "
            f"protect it, so run `python -m stack up -s {session.stack}` first, which protects it"
        )
    _say_what_stays(session, state)
    session.write_trust(state)
    answer = ("--yes",) if confirmed else ()
    code = session.engine.run(
        "destroy", "-s", session.stack, "--exclude-protected", *answer, *extra
    )
    if code:
        session.refuse_if_locked()
    return code


def recover(session: Session, chosen: dict[str, str], *, check: bool = False) -> int:
    """Repairs the state after an interrupted run; with `check` only says how. 1 if it cannot."""
    if not check:
        session.free_lock()
        state = session.existing()
        unknown = sorted(set(chosen) - {str(r["urn"]) for r in state.pending_creates})
        if unknown:
            raise StackError(
                f"{unknown[0]} was not being created: see `recover --check` for what was"
            )
        _repair(session, state, chosen)
        session.say(f"stack {session.stack}: nothing is pending")
        return 0
    _, steps = session.plan(chosen)
    for step in steps:
        session.say(str(step))
    if not steps:
        session.say(f"stack {session.stack}: nothing to recover")
    return 1 if any(step.action is Action.REFUSE for step in steps) else 0


def output(session: Session, extra: Sequence[str]) -> int:
    """The engine's own listing of the stack's outputs."""
    return session.engine.run("stack", "output", "-s", session.stack, *extra)


def verdict_table(session: Session, _extra: Sequence[str] = ()) -> int:
    """Prints the table of verdicts, nothing if the stack has no drills; 6 if there is no stack."""
    # Verdicts pass through secret outputs of Commands; only named fields of them are printed.
    _say_table(session, verdicts.read(_outputs(session), session.receipts))
    return 0


def drill(
    session: Session,
    verb: str,
    layers: Sequence[str],
    run: drills.RunDrills,
    *,
    as_json: bool = False,
    surroundings: str = "",
) -> int:
    """Runs drills, or their controls, as the last complete update configured them.

    `surroundings`: the uid of a lab's cluster, for controls that plant faults in it as well.
    Returns the drills' exit code; with `as_json` prints what they print, else a table of it.
    """
    if surroundings and verb != drills.CONTROL:
        raise StackError("--surroundings: only `drill control` plants faults; leave it out")
    payloads = drills.request(verb, layers, _outputs(session))
    if surroundings:
        payloads = drills.with_surroundings(payloads, surroundings)
    done = run([verb, *payloads], json.dumps(payloads))
    shown = done.stdout if as_json else drills.shown(verb, done.stdout, session.receipts)
    if shown.strip():
        session.say(shown.rstrip("\n"))
    return done.code


def backup(
    session: Session, schedules: Sequence[str], run: drills.RunDrills, *, as_json: bool = False
) -> int:
    """Makes a backup with its truth, as the last complete update configured the drill of objects.

    `schedules`: at most one; none is the first that is drilled. Returns the exit code.
    """
    if len(schedules) > 1:
        raise StackError("backup: name one schedule, or none")
    payloads = drills.request(drills.RUN, [drills.BACKED_UP], _outputs(session))
    done = run([drills.BACKUP, drills.BACKED_UP, *schedules], json.dumps(payloads))
    if done.stdout.strip():
        session.say(done.stdout.rstrip("\n") if as_json else drills.made(done.stdout))
    return done.code


def _outputs(session: Session) -> dict[str, Any]:
    """The stack's outputs with secrets shown; they stay in memory."""
    done = session.engine.capture(
        "stack", "output", "--json", "--show-secrets", "-s", session.stack
    )
    if done.code:
        raise StackError(
            f"the outputs of stack {session.stack} cannot be read: {done.error}", done.code
        )
    found: dict[str, Any] = json.loads(done.stdout or "{}")
    return found


def _say_table(session: Session, found: list[verdicts.Verdict]) -> None:
    if found:
        session.say(verdicts.table(found))


def _repair(
    session: Session, state: checkpoint.Checkpoint, chosen: dict[str, str] | None = None
) -> None:
    count = len(state.unfinished)
    if count:
        noun = "resource was" if count == 1 else "resources were"
        verb = "created" if len(state.pending_creates) == count else "changed"
        session.say(f"an earlier run was interrupted while {count} {noun} being {verb}; recovering")
        session.recover(chosen)


def _took_over(session: Session) -> bool:
    """Whether a failed update is worth another try: something of the site was there already."""
    try:
        session.refuse_if_locked()
        return session.take_over()
    except StackError as error:
        session.say(f"not tried again: {error}")
        return False


def _prepare_refresh(session: Session) -> None:
    state = session.existing(secrets=True)
    session.write_trust(state)
    session.gate(state)


def _asks_refresh(extra: Sequence[str]) -> bool:
    return any(
        argument in ("-r", "--refresh") or argument.startswith("--refresh=") for argument in extra
    )


def _say_what_stays(session: Session, state: checkpoint.Checkpoint) -> None:
    stays = [r for r in checkpoint.staying(state.resources) if r.get("custom")]
    for resource in stays:
        if not str(resource["type"]).startswith(checkpoint.PROVIDER_PREFIX):
            session.say(f"stays: {checkpoint.name_of(resource)} ({resource['type']})")

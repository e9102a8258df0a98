"""Trust policies: what they accept, what they refuse, and how they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.errors import CannotJudge, FormatError, TamperingFound
from logstore.formats.checkpoint import Checkpoint, sign_checkpoint
from logstore.formats.cosignature import Cosigner, Ed25519Cosigner, MldsaCosigner
from logstore.formats.note import Note, Signer, add_signature, parse_note
from logstore.formats.policy import Group, Policy, Verdict, Witness, parse_policy

LOG = Signer("example.com/log", bytes(range(32)))
CHECKPOINT = Checkpoint("example.com/log", 7, bytes(range(32)))
SIGNED = sign_checkpoint(CHECKPOINT, LOG)
COSIGNERS: list[Cosigner] = [
    *(Ed25519Cosigner(f"w.example/{number}", bytes([number]) * 32) for number in range(1, 6)),
    MldsaCosigner("w.example/q", b"\6" * 32),
]
WITNESSES = tuple(
    Witness(name, cosigner.verifier())
    for name, cosigner in zip(("X1", "X2", "X3", "Y1", "Y2", "Y3"), COSIGNERS, strict=True)
)
PLAIN = Policy((LOG.verifier(),))
TWO_LEVELS = Policy(
    (LOG.verifier(),),
    WITNESSES,
    (
        Group("X", 2, ("X1", "X2", "X3")),
        Group("Y", 1, ("Y1", "Y2", "Y3")),
        Group("both", 2, ("X", "Y")),
    ),
    "both",
    ((LOG.verifier().vkey(), "https://example.com/log"),),
)


def cosigned(*numbers: int) -> bytes:
    data = SIGNED
    for number in numbers:
        line = COSIGNERS[number].cosign(CHECKPOINT.text(), 1_763_850_000 + number)
        data = add_signature(data, line)
    return data


def vkey(number: int) -> str:
    return COSIGNERS[number].verifier().vkey()


def test_the_log_key_alone_is_enough_where_no_quorum_is_asked_for() -> None:
    assert PLAIN.check(SIGNED) == CHECKPOINT
    assert PLAIN.check(cosigned(0)) == CHECKPOINT
    assert PLAIN.log_for("example.com/log") == LOG.verifier()


def test_two_of_three_and_one_of_three_make_the_quorum_and_the_times_are_told() -> None:
    assert TWO_LEVELS.examine(cosigned(0, 2, 5)) == Verdict(
        CHECKPOINT, {"X1": 1_763_850_000, "X3": 1_763_850_002, "Y3": 1_763_850_005}
    )
    for numbers in ((), (0,), (0, 1), (0, 3), (3, 4, 5), (0, 0, 3)):
        with pytest.raises(CannotJudge, match="lacks the quorum 'both'"):
            TWO_LEVELS.check(cosigned(*numbers))


@given(st.sets(st.integers(0, 5)))
def test_the_quorum_is_what_its_words_say(numbers: set[int]) -> None:
    names = {WITNESSES[number].name for number in numbers}
    expected = len(numbers & {0, 1, 2}) >= 2 and bool(numbers & {3, 4, 5})
    assert TWO_LEVELS.reached(names) is expected


def test_a_stripped_or_foreign_log_signature_is_tampering_when_the_policy_knows_the_log() -> None:
    note = parse_note(cosigned(0, 1, 3))
    stripped = Note(note.text, note.signatures[1:]).encode()
    impostor = sign_checkpoint(CHECKPOINT, Signer("example.com/log", b"\x09" * 32))
    for data in (stripped, impostor):
        for policy in (PLAIN, TWO_LEVELS):
            with pytest.raises(TamperingFound, match="not signed by the log's own key"):
                policy.check(data)


def test_one_wrong_cosignature_condemns_a_checkpoint_even_beyond_the_quorum() -> None:
    data = cosigned(0, 1, 3)
    other = COSIGNERS[2].cosign(Checkpoint("example.com/log", 8, bytes(32)).text(), 5)
    with pytest.raises(TamperingFound, match=r"w\.example/3"):
        TWO_LEVELS.check(add_signature(data, other))


def test_an_unlisted_log_cannot_be_judged_whoever_else_signed_it() -> None:
    stranger = Signer("elsewhere", b"\x08" * 32)
    checkpoint = Checkpoint("elsewhere", 1, bytes(32))
    data = sign_checkpoint(checkpoint, stranger, LOG)
    with pytest.raises(CannotJudge, match="lists no log 'elsewhere'"):
        PLAIN.check(data)
    with pytest.raises(CannotJudge):
        Policy().check(SIGNED)


def test_a_listed_log_cannot_sign_for_another_listed_log() -> None:
    second = Signer("second", b"\x08" * 32)
    policy = Policy((LOG.verifier(), second.verifier()))
    forged = sign_checkpoint(Checkpoint("second", 7, bytes(32)), second)
    note = parse_note(forged)
    line = parse_note(sign_checkpoint(Checkpoint("example.com/log", 7, bytes(32)), LOG))
    with pytest.raises(TamperingFound):
        policy.check(Note(note.text, line.signatures).encode())


def test_a_log_may_be_trusted_by_a_quantum_safe_key() -> None:
    key = MldsaCosigner("example.com/log", b"\x07" * 32)
    data = add_signature(SIGNED, key.cosign(CHECKPOINT.text(), 9))
    assert Policy((key.verifier(),)).check(data) == CHECKPOINT


def test_a_policy_file_is_read_with_comments_and_any_blanks_and_written_plainly() -> None:
    text = (
        "# whom we believe\n\n"
        f"\tlog\t {LOG.verifier().vkey()}  https://example.com/log \n"
        f"witness X1 {vkey(0)}\nwitness X2 {vkey(1)} \nwitness X3 {vkey(2)}\n"
        "group X 2 X1 X2 X3\n"
        f"witness Y1 {vkey(3)}\n  # two levels\nwitness Y2 {vkey(4)}\nwitness Y3 {vkey(5)}\n"
        "group Y any Y1 Y2 Y3\ngroup both all X Y\nquorum both\n"
    )
    assert parse_policy(text) == TWO_LEVELS
    assert parse_policy(text.encode()) == TWO_LEVELS
    assert parse_policy(TWO_LEVELS.text()) == TWO_LEVELS
    assert PLAIN.text() == f"log {LOG.verifier().vkey()}\nquorum none\n"


def test_a_quorum_may_be_one_witness_and_names_may_be_any_script() -> None:
    policy = parse_policy(
        f"log {LOG.verifier().vkey()}\nwitness Zürich#1 {vkey(0)} https://w\nquorum Zürich#1\n"
    )
    assert parse_policy(policy.text()) == policy
    assert policy.check(cosigned(0)) == CHECKPOINT
    with pytest.raises(CannotJudge):
        policy.check(SIGNED)


names = st.lists(
    st.text(st.characters(min_codepoint=0x21, exclude_categories=["C", "Z"]), min_size=1),
    min_size=9,
    max_size=9,
    unique=True,
).filter(lambda some: "none" not in some)


@given(names=names, thresholds=st.tuples(*[st.integers(1, 2)] * 3), data=st.data())
def test_every_policy_comes_back_from_its_text(
    names: list[str], thresholds: tuple[int, ...], data: st.DataObject
) -> None:
    witnesses = tuple(
        Witness(name, witness.verifier) for name, witness in zip(names[:6], WITNESSES, strict=True)
    )
    groups = (
        Group(names[6], thresholds[0], tuple(names[:2])),
        Group(names[7], thresholds[1], tuple(names[2:5])),
        Group(names[8], thresholds[2], (names[6], names[7])),
    )
    quorum = data.draw(st.sampled_from([*names, "none"]))
    policy = Policy((LOG.verifier(),), witnesses, groups, quorum)
    assert parse_policy(policy.text()) == policy


L, W = f"log {LOG.verifier().vkey()}\n", f"witness w {vkey(0)}\n"
SAME_KEY = Ed25519Cosigner("self", bytes(range(32))).verifier().vkey()


@pytest.mark.parametrize(
    "text",
    [
        "",
        L,
        "quorum none",
        "quorum none\nquorum none\n",
        "quorum w\n" + W,
        "group g 1 w\n" + W + "quorum g\n",
        W + "group g 0 w\nquorum g\n",
        W + "group g 2 w\nquorum g\n",
        W + "group g 01 w\nquorum g\n",
        W + "group g any\nquorum g\n",
        W + "group g any w w\nquorum g\n",
        W + "group g any none\nquorum g\n",
        W + "group g any w\ngroup h any w\nquorum g\n",
        W + "group g any g\nquorum g\n",
        W + "group w any w\nquorum w\n",
        f"witness none {vkey(0)}\nquorum none\n",
        W + W + "quorum none\n",
        W + f"witness w {vkey(1)}\nquorum none\n",
        W + f"witness v {vkey(0)}\nquorum none\n",
        L + L + "quorum none\n",
        L + f"witness self {SAME_KEY}\nquorum none\n",
        f"witness w {LOG.verifier().vkey()}\nquorum none\n",
        f"log {vkey(0)}\nquorum none\n",
        L.strip() + " https://a https://b\nquorum none\n",
        W.strip() + " https://a https://b\nquorum none\n",
        "log notakey\nquorum none\n",
        "unknown word\nquorum none\n",
        "quorum none\r\n",
        "quorum\u000bnone\n",
        "quorum none \x7f\n",
        "quorum\n",
        "log\u00a0x\nquorum none\n",
        "#" * 1_000_001 + "\nquorum none\n",
    ],
)
def test_what_the_specification_forbids_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse_policy(text)


def test_a_fault_in_a_policy_is_named_by_its_line_and_bytes_must_be_text() -> None:
    with pytest.raises(FormatError, match="policy line 3"):
        parse_policy(L + W + "group g 2 w\nquorum g\n")
    with pytest.raises(FormatError, match="UTF-8"):
        parse_policy(b"quorum none\n#\xff\n")


def test_policies_made_in_code_obey_the_same_rules() -> None:
    key = LOG.verifier()
    with pytest.raises(FormatError, match="address"):
        Policy((key,), urls=((vkey(0), "https://x"),))
    with pytest.raises(FormatError, match="address"):
        Policy((key,), urls=((key.vkey(), "https://x"), (key.vkey(), "https://y")))
    with pytest.raises(FormatError, match="one word"):
        Policy((key,), urls=((key.vkey(), "https://x y"),))
    with pytest.raises(FormatError, match="quorum"):
        Policy((key,), quorum="nobody")
    many = [Signer(f"log{number}", number.to_bytes(32, "big")).verifier() for number in range(65)]
    assert len(Policy(tuple(many[:64])).logs) == 64
    with pytest.raises(FormatError, match="more than 64"):
        Policy(tuple(many))

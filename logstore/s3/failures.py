"""What goes wrong on the way to a bucket, in words for people.

Two kinds, told apart by who must act: `StoreAway` passes by itself and is tried again (network,
time-outs, an overloaded server), `StoreRefused` stays until somebody changes something
(credentials, permissions, a clock, a bucket that is not there). What the server says is quoted, cut
short; like everything from outside it is made safe where it is shown.

Error codes: Amazon S3 API reference, "Error responses". A HEAD answer has no body, so botocore puts
the status in place of a code there.
"""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

from logstore.errors import StoreAway, StoreRefused

_KEPT = "Nothing is lost: what is not in the bucket yet is still on its writer's machine."
_AGAIN = "Try again later; it goes on where it stopped."
_FITNESS = "See docs/s3.md for what a bucket must be."
_QUOTED = 200

_GONE = {"NoSuchKey", "NoSuchVersion", "404", "MethodNotAllowed", "405"}
_PASSES = {
    "SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "Throttling", "408",
    "ThrottlingException", "TooManyRequests", "RequestLimitExceeded", "RequestThrottled", "429",
    "ConditionalRequestConflict", "OperationAborted", "BadDigest", "XAmzContentSHA256Mismatch",
    "XAmzContentChecksumMismatch", "IncompleteBody",
}  # fmt: skip
_RENEW = "Renew the credentials, where boto3 looks for them, then try again."
_EXPIRED = ("the credentials have expired", _RENEW)
_UNKNOWN_KEY = ("the server does not know the access key", _RENEW)
_DENIED = (
    "access is denied", "Let the owner of the bucket allow it; docs/iam says what each role needs.",
)  # fmt: skip
_REFUSALS = {
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "InvalidClientTokenId": _UNKNOWN_KEY,
    "UnrecognizedClientException": _UNKNOWN_KEY,
    "SignatureDoesNotMatch": ("the secret key is not the one that the server knows", _RENEW),
    "InvalidToken": ("the server does not take the session token", _RENEW),
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestExpired": _EXPIRED,
    "AccessDenied": _DENIED,
    "AccessDeniedException": _DENIED,
    "AllAccessDisabled": _DENIED,
    "AccountProblem": _DENIED,
    "Forbidden": _DENIED,
    "403": _DENIED,
    "401": _DENIED,
    "NoSuchBucket": (
        "there is no such bucket", "Check its name, and which account and endpoint are asked.",
    ),
}  # fmt: skip
_NO_WORDS = {"", "Access Denied", "Forbidden", "Unauthorized"}
_ELSEWHERE = {"PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "301",
              "307", "IllegalLocationConstraintException"}  # fmt: skip


@contextlib.contextmanager
def told(doing: str, *, of_version: bool = False) -> Iterator[None]:
    """Turn what boto3 raises inside into our errors.

    Args:
        doing: what is being done, as it stands after "could not".
        of_version: it is done to one version of an object, which may not be there.

    Raises:
        StoreAway: it passes; try again later.
        StoreRefused: it stays until somebody changes something.
        FileNotFoundError: there is no such version, or it is a delete marker; with `of_version`.
    """
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except ParamValidationError:
        raise  # nobody but us chose the parameters
    except ResponseParserError as error:
        raise nonsense(_quoted(error)) from error
    except ClientError as error:
        if of_version and _is_absent(error):
            raise absent(doing) from error
        raise _said_by_server(error, doing, time.time()) from error
    except BotoCoreError as error:
        raise _on_the_way(error, doing) from error
    except (ValueError, OverflowError, RuntimeError) as error:  # of dates and numbers in answers
        raise nonsense(_quoted(error)) from error


def code_of(error: BaseException) -> str:
    """The server's error code, or its status where it has none; empty for other errors."""
    answer = getattr(error, "response", None)
    detail = answer.get("Error") if isinstance(answer, dict) else None
    return str(detail.get("Code", "")) if isinstance(detail, dict) else ""


def is_denial(error: StoreRefused) -> bool:
    """Whether the server said of whoever asks that they may not."""
    return _REFUSALS.get(code_of(error.__cause__ or error)) == _DENIED


def is_unexplained(error: StoreRefused) -> bool:
    """Whether the server gave no reason: the answer to a HEAD has no room for one."""
    return code_of(error.__cause__ or error).isdigit()


def absent(doing: str) -> FileNotFoundError:
    """The error for a version that is not there."""
    return FileNotFoundError(errno.ENOENT, f"could not {doing}: it is not there")


def has_expired(error: BaseException) -> bool:
    """Whether a server turned credentials down because their time is over."""
    return _REFUSALS.get(code_of(error)) == _EXPIRED


def of_credentials(error: BaseException) -> bool:
    """Whether other credentials could change what came of a call."""
    from botocore.exceptions import NoCredentialsError

    # A HEAD answer has no body, so its status is all there is: 400 for a token that has expired.
    return isinstance(error, NoCredentialsError) or (
        code_of(error) in {"400", *_REFUSALS} - {"NoSuchBucket"}
    )


def nonsense(what: str) -> StoreRefused:
    """The error for an answer that no S3 server gives."""
    return StoreRefused(
        f"the server's answer makes no sense: {what}",
        kept=_KEPT,
        todo="Check that the endpoint is an S3 server, and what stands between it and here.",
    )


def server_clock(answer: object) -> float | None:
    """The server's time in an answer's Date header, seconds since 1970; None if it says none."""
    said = headers(answer).get("date")
    if not isinstance(said, str):
        return None
    try:
        return parsedate_to_datetime(said).timestamp()
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def headers(answer: object) -> dict[str, Any]:
    """The HTTP headers of an answer, names in lower case."""
    about = answer.get("ResponseMetadata") if isinstance(answer, dict) else None
    found = about.get("HTTPHeaders") if isinstance(about, dict) else None
    return found if isinstance(found, dict) else {}


def _is_absent(error: Any) -> bool:
    """A marker's id is answered with 405, and an id that can not be one with 400."""
    code, said = code_of(error), str(error.response.get("Error", {}).get("Message", ""))
    return code in _GONE or (code == "InvalidArgument" and "version id" in said.lower())


def _said_by_server(error: Any, doing: str, now: float) -> StoreAway:
    code, answer = code_of(error), error.response
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _PASSES or status >= 500:
        return StoreAway(f"could not {doing}: {_words(error)}", kept=_KEPT, todo=_AGAIN)
    why, todo = _refusal(code, answer, now) or (_words(error), _FITNESS)
    return _refused(doing, why, todo)


def _refusal(code: str, answer: Any, now: float) -> tuple[str, str] | None:
    """Why a server says no, and what to do; None for what it must say itself."""
    if code == "RequestTimeTooSkewed":
        skewed = _skewed(server_clock(answer), now)
        return skewed, "Set this machine's clock, best by NTP, then try again."
    if code in _ELSEWHERE:
        region = _quoted(headers(answer).get("x-amz-bucket-region", "another one"))
        return f"the bucket lies in another region ({region})", "Name that region."
    if _REFUSALS.get(code) == _DENIED:
        return _denied(_words_of(answer)), _DENIED[1]
    return _REFUSALS.get(code)


def _denied(said: str) -> str:
    """With what the server says of it: Amazon names the action that is not allowed."""
    return _DENIED[0] if said in _NO_WORDS else f"{_DENIED[0]}: {said}"


def _on_the_way(error: Exception, doing: str) -> StoreAway:
    from botocore import exceptions as known

    if isinstance(error, known.NoCredentialsError):
        return _refused(
            doing,
            "there are no credentials",
            "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        )
    if isinstance(error, known.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return _refused(
            doing,
            "the server's certificate is not signed by an authority trusted here",
            "Name the authority's certificate when the store is set up (ca_bundle).",
        )
    passes = (
        known.HTTPClientError, known.ConnectionError, known.IncompleteReadError,
        known.MetadataRetrievalError,
    )  # fmt: skip
    if isinstance(error, passes):
        return StoreAway(f"could not {doing}: {_quoted(error)}", kept=_KEPT, todo=_AGAIN)
    # What is left is about this machine's own configuration: profiles, tokens, regions, endpoints.
    return _refused(doing, _quoted(error), "Check how boto3 is set up on this machine.")


def _refused(doing: str, why: str, todo: str) -> StoreRefused:
    return StoreRefused(f"could not {doing}: {why}", kept=_KEPT, todo=todo)


def _skewed(server: float | None, now: float) -> str:
    if server is None:
        return "this machine's clock and the server's are too far apart"
    ahead = now - server
    minutes, seconds = divmod(round(abs(ahead)), 60)
    way = "ahead of" if ahead > 0 else "behind"
    return f"this machine's clock is {minutes} min {seconds} s {way} the server's"


def _words(error: Any) -> str:
    said = _words_of(error.response)
    return f"{said} ({_quoted(code_of(error))})" if said else _quoted(code_of(error))


def _words_of(answer: Any) -> str:
    return _quoted(answer.get("Error", {}).get("Message") or "")


def _quoted(said: object) -> str:
    text = " ".join(str(said).split())
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}..."

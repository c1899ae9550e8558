"""The whole error tree, grouped by what one can do next.

    AdlabError
      SettingsError              fix the configuration (names the variable)
      MetaError                  the Graph API answered with an error
        RetryableMetaError       wait, then try again
          RateLimitedError       … until `retry_after` seconds have passed
          MetaUnavailableError   … the platform or the network has trouble
          ReportNotReadyError    … the asynchronous report still runs
          TooMuchDataError       … with a smaller question
          AnswerLostError        … only after looking whether a write was done
        StaleCursorError       … from the first page again
        AuthorizationError       ask a person
          TokenExpiredError      the token must be renewed by its owner
          MissingPermissionError a scope or a role on the account is missing
        RejectedRequestError     our mistake; never retried
          BlockedForNowError     … before `retry_at`
          TooFarBackError        … with those days: Meta no longer serves them
      DataError                  the question cannot be answered as asked
        MixedCurrencyError, IncompletePeriodError, UnknownMetricError,
        NotAdditiveError, UnknownObjectError, ImportRejectedError,
        ChangeRefusedError
      StorageError               the database or the embedded servers
        SchemaOutOfDateError, TenantError, DatabaseUnavailableError,
        DiskFullError, EmbeddedServerError, ConcurrentWriteError
      AccessDeniedError          the role may not do this
        HubUnavailableError      the login service is silent; wait
      ConflictError              it exists already, or is running already
      DeliveryError              a document could not be made
        ReportFailedError        a cell of the report's notebook failed (names it)
        MissingRendererError     pandoc, typst or a font is not installed

A wrong argument is a `ValueError`; too little data is a result that says so.
"""

from __future__ import annotations

from datetime import datetime


class AdlabWarning(UserWarning):
    """Something was coped with that a person should know of."""


class AdlabError(Exception):
    """Base of every error adlab raises on purpose.

    Args:
        message: What happened, and to which object.
        remedy: What to do about it, one sentence.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        self.message = message
        self.remedy = remedy
        stop = "" if not remedy or message.rstrip().endswith((".", "!", "?", ":", "…")) else "."
        super().__init__(f"{message.rstrip()}{stop} {remedy}".strip())


class SettingsError(AdlabError):
    """A setting is missing or wrong; the message names the variable and gives an example."""


class MetaError(AdlabError):
    """The Graph API answered with an error. Never carries a token.

    Args:
        message: Meta's message, redacted.
        remedy: What to do.
        code: Graph error code, or None when the answer was not a Graph error at all.
        subcode: Graph error subcode.
        trace_id: `fbtrace_id`, for a support case at Meta.

    Attributes:
        blamed: Fields Meta names as the reason, such as `daily_budget`.
    """

    def __init__(
        self,
        message: str,
        remedy: str = "",
        *,
        code: int | None = None,
        subcode: int | None = None,
        trace_id: str | None = None,
    ) -> None:
        self.code = code
        self.subcode = subcode
        self.trace_id = trace_id
        self.reason = message
        self.blamed: tuple[str, ...] = ()
        where = "" if code is None else f"(Meta error {code}{f'/{subcode}' if subcode else ''}) "
        super().__init__(f"{where}{message}", remedy)


class RetryableMetaError(MetaError):
    """Waiting helps.

    Attributes:
        tries: How many tries in all make sense; None leaves it to the client.
    """

    tries: int | None = None


class RateLimitedError(RetryableMetaError):
    """The quota is used up.

    Args:
        retry_after: Seconds to wait before the next call.

    Attributes:
        told: Whether Meta said so, or our own knowledge of the limit; else it is a guess, and
            shorter waits are worth a try.
    """

    told = True

    def __init__(
        self,
        message: str,
        remedy: str = "",
        *,
        retry_after: float = 60.0,
        code: int | None = None,
        subcode: int | None = None,
        trace_id: str | None = None,
    ) -> None:
        self.retry_after = retry_after
        super().__init__(message, remedy, code=code, subcode=subcode, trace_id=trace_id)


class MetaUnavailableError(RetryableMetaError):
    """The platform or the network has trouble, or the answer was no Graph answer."""


class ReportNotReadyError(RetryableMetaError):
    """The asynchronous report still runs, or has only just been created."""


class TooMuchDataError(RetryableMetaError):
    """The question was too large: ask for fewer days, objects or fields.

    Attributes:
        by_page: Whether a smaller page of the same question may do.
    """

    by_page: bool = False


class AnswerLostError(RetryableMetaError):
    """A write was sent, but no answer came: it may have been done. Look before sending it again."""


class StaleCursorError(RetryableMetaError):
    """A cursor of paging is no longer valid: start from the first page."""


class AuthorizationError(MetaError):
    """A person must act: the token or the permissions do not suffice."""


class TokenExpiredError(AuthorizationError):
    """The token is no longer valid; its owner must connect again."""


class MissingPermissionError(AuthorizationError):
    """A scope, or a role on the ad account, is missing."""


class RejectedRequestError(MetaError):
    """Meta refused the request itself; asking again would not help."""


class BlockedForNowError(RejectedRequestError):
    """Meta refuses this change until a known time; the wanted value may be kept until then.

    Args:
        retry_at: Aware UTC; not before. None where Meta gives no time.
    """

    def __init__(
        self,
        message: str,
        remedy: str = "",
        *,
        retry_at: datetime | None = None,
        code: int | None = None,
        subcode: int | None = None,
        trace_id: str | None = None,
    ) -> None:
        self.retry_at = retry_at
        super().__init__(message, remedy, code=code, subcode=subcode, trace_id=trace_id)


class TooFarBackError(RejectedRequestError):
    """The days asked for begin earlier than Meta serves."""


class DataError(AdlabError):
    """The question cannot be answered as asked; the message shows the right call."""


class MixedCurrencyError(DataError):
    """Amounts in several currencies were about to be added."""


class IncompletePeriodError(DataError):
    """A day inside the period is missing."""


class UnknownMetricError(DataError):
    """No metric of that name is in the registry."""


class NotAdditiveError(DataError):
    """The metric does not add up (reach), or was about to be averaged (a ratio)."""


class UnknownObjectError(DataError):
    """No such client, account or file, or it is not yours to see."""


class ImportRejectedError(DataError):
    """A file cannot be read as it stands; rows, columns and reasons are in `problems`."""

    def __init__(self, message: str, remedy: str = "", problems: tuple[object, ...] = ()) -> None:
        self.problems = problems
        super().__init__(message, remedy)


class ChangeRefusedError(DataError):
    """A change does not fit the object as it is now; nothing was sent."""


class StorageError(AdlabError):
    """The database could not do what was asked."""


class SchemaOutOfDateError(StorageError):
    """The database schema is older or newer than this adlab."""


class ConcurrentWriteError(StorageError):
    """Somebody else wrote the same rows at the same moment; doing it again helps."""


class TenantError(StorageError):
    """A connection was about to be opened as nobody, or as the wrong person."""


class DatabaseUnavailableError(StorageError):
    """The database cannot be reached, or went away."""


class DiskFullError(StorageError):
    """The disk that holds the database is full; nothing of the current step was kept."""


class EmbeddedServerError(StorageError):
    """An embedded server could not be started, stopped or shared."""


class AccessDeniedError(AdlabError):
    """The role may not do this, or the login has expired."""


class HubUnavailableError(AccessDeniedError):
    """The hub, which vouches for people, does not answer."""


class ConflictError(AdlabError):
    """It exists already, or is running already."""


class DeliveryError(AdlabError):
    """A document could not be made or delivered."""


class ReportFailedError(DeliveryError):
    """A notebook of a report did not run to its end.

    Args:
        message: Which notebook and cell, and the end of its traceback; never a secret.
        remedy: What to do.
        notebook: File name of the notebook.
        cell: Number of the cell, counted from 1 as people count; None when no cell is to blame.
    """

    def __init__(
        self, message: str, remedy: str = "", *, notebook: str = "", cell: int | None = None
    ) -> None:
        self.notebook = notebook
        self.cell = cell
        super().__init__(message, remedy)


class MissingRendererError(DeliveryError):
    """What turns notebooks into documents is not installed; the message names it."""

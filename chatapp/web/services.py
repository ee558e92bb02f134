"""The application's services, created once by `create_app` and used by every view."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import current_app

from chatapp.chains.http.read_delay import ReadDelay
from chatapp.chains.http.tls import tls_context
from chatapp.chains.models import Models
from chatapp.chat import api_sessions, images
from chatapp.chat.api_sessions import ApiSessions
from chatapp.chat.feedback import AnswerFeedback
from chatapp.chat.images import Images
from chatapp.chat.model_ids import ModelIds
from chatapp.chat.named import Named
from chatapp.chat.runs.runs import Runs
from chatapp.chat.sessions import Sessions
from chatapp.chat.shares import Shares
from chatapp.chat.suppliers import Suppliers
from chatapp.chat.turns import Turns
from chatapp.chat.usage_report import UsageReport
from chatapp.home import CHROMA, url
from chatapp.identity import audit
from chatapp.identity.accounts import Accounts
from chatapp.identity.audit import Audit
from chatapp.identity.identities import Identities
from chatapp.identity.secrets import Secret
from chatapp.identity.users import Users
from chatapp.knowledge.bases import Knowledge
from chatapp.knowledge.chroma import VectorIndex
from chatapp.knowledge.documents import Documents
from chatapp.knowledge.embedders import Embedder, configured_embedder
from chatapp.knowledge.images import ImageFiles
from chatapp.knowledge.pageview.views import PageViews
from chatapp.knowledge.suggestions import Suggestions
from chatapp.metrics import published
from chatapp.metrics.published import Published
from chatapp.settings import Settings
from chatapp.storage import passages
from chatapp.storage.chat_models import Preset, Prompt
from chatapp.storage.database import Database
from chatapp.storage.passages import Passages
from chatapp.storage.slow_statements import log_slow_statements
from chatapp.web.gauges import gauges_of

if TYPE_CHECKING:  # loaded where a provider is configured
    from chatapp.identity.oidc import Provider

EXTENSION = "chatapp"  # the key in `app.extensions`


@dataclass(frozen=True, slots=True)
class Services:
    """The services that views use."""

    settings: Settings
    database: Database
    accounts: Accounts
    users: Users
    identities: Identities
    provider: "Provider | None"
    sessions: Sessions
    feedback: AnswerFeedback
    images: Images
    shares: Shares
    prompts: Named[Prompt]
    presets: Named[Preset]
    suppliers: Suppliers
    model_ids: ModelIds
    knowledge: Knowledge
    embedder: Embedder | None
    page_views: PageViews
    suggestions: Suggestions
    documents: Documents
    runs: Runs
    figures: Published
    turns: Turns
    usage: UsageReport
    audit: Audit


def services() -> Services:
    """Return the services of the current app."""
    found: Services = current_app.extensions[EXTENSION]
    return found


def create_services(settings: Settings, database: Database) -> Services:
    """Create the services of an app."""
    read_delay, secret = ReadDelay(), Secret.of(settings)
    embedder = configured_embedder(settings)
    similar = embedder.similarities if embedder is not None else None
    suppliers = Suppliers(database, settings, secret, Models(settings, read_delay), similar)
    index = VectorIndex.of(settings, lambda: url(settings, CHROMA))
    knowledge = Knowledge(database, settings, index, embedder)
    accounts = Accounts(database)
    pictures = Images(database, settings, ImageFiles(settings))
    audit_log = Audit(database, settings)
    figures = Published(settings.home, lambda: gauges_of(runs, database))
    chores: dict[Callable[[], None], float] = {
        pictures.sweep: images.SWEEP_SECONDS,
        Passages(database).sweep: passages.SWEEP_SECONDS,
        ApiSessions(database, settings.keep_api_sessions).sweep: api_sessions.SWEEP_SECONDS,
        audit_log.sweep: audit.SWEEP_SECONDS,
        figures.publish: published.PUBLISH_SECONDS,
        figures.sweep: published.SWEEP_SECONDS,
    }
    runs = Runs(database, settings, read_delay, chores)
    log_slow_statements(database.engine, settings.slow_statement_ms)
    return Services(
        settings=settings,
        database=database,
        accounts=accounts,
        users=Users(database, accounts.tokens),
        identities=Identities(database, settings, accounts.tokens),
        provider=_provider(settings, secret),
        sessions=Sessions(database, pictures),
        feedback=AnswerFeedback(database),
        images=pictures,
        shares=Shares(database),
        prompts=Named(database, Prompt),
        presets=Named(database, Preset),
        suppliers=suppliers,
        model_ids=ModelIds(database, suppliers),
        knowledge=knowledge,
        embedder=embedder,
        page_views=PageViews(database, settings, knowledge.originals),
        suggestions=Suggestions(database),
        documents=Documents(database),
        runs=runs,
        figures=figures,
        turns=Turns(database, settings, suppliers),
        usage=UsageReport(database, settings),
        audit=audit_log,
    )


def _provider(settings: Settings, secret: Secret) -> "Provider | None":
    """Return the identity provider; Authlib is loaded only where there is one."""
    if not settings.oidc_issuer or settings.auth == "off":
        return None
    from chatapp.identity.oidc import Provider

    return Provider(settings, secret, lambda: tls_context(settings.ca_file))

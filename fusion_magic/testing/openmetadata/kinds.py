"""
The kinds of entities: what their bodies hold, what hangs below what, and which fields a client may ask for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from .versions import Version, select, words

_COMMON = "name displayName description owners tags domain<1.9 domains>=1.9"
_ASSET = f"{_COMMON} dataProducts extension sourceUrl lifeCycle sourceHash entityStatus>=1.10"
_ENTITY = (
    "id fullyQualifiedName version updatedAt updatedBy href changeDescription deleted followers votes "
    "incrementalChangeDescription>=1.7 impersonatedBy>=1.11"
)

# What an answer holds only where ``fields`` names it.
ASKED = words(
    "tags owners followers votes dataProducts extension usageSummary joins sampleData tablePartition "
    "testSuite customMetrics lifeCycle certification queries pipelineObservability dataContract aliases "
    "children databaseSchemas tables pipelineStatus users queryUsedIn domains experts reviewers "
    "testCaseResult testDefinition pipelineStatuses tests summary customProperties roles "
    "teams schemaDefinition tableConstraints "
    "pipelines dataModel parent tasks"
)
# What such a field holds where there is nothing.
EMPTY_LISTS = words(
    "tags owners followers dataProducts domains children databaseSchemas tables users queryUsedIn roles "
    "teams experts reviewers tests customProperties customMetrics pipelines"
)
REFERENCES = words("owners followers users queryUsedIn experts reviewers")


@dataclass(frozen=True)
class Kind:
    """
    One kind of entity.

    Attributes:
        type: Its name in references: ``table``.
        path: Where it is, below ``/v1``: ``tables``.
        body: The words of what a create message holds.
        required: Those that must be there.
        parent: The kind above it.
        parent_key: The property of the message that names it.
        asset: The words that an entity has besides those of its message.
        is_soft: Whether it is marked when deleted, and can be restored.
        java: The name of its message where an error tells it.
    """

    type: str
    path: str
    body: str
    required: str = "name"
    parent: str = ""
    parent_key: str = ""
    asset: str = ""
    is_soft: bool = True
    java: str = "api.data"

    def properties(self, version: Version) -> frozenset[str]:
        """
        What a create message may hold.
        """
        return select(self.body, version)

    def fields(self, version: Version) -> frozenset[str]:
        """
        What ``fields`` may name: an entity's properties.
        """
        extra = f"{_ENTITY} {self.asset}"
        return select(self.body, version) | select(extra, version) - {"query_type", "exclude_usage"}

    @cached_property
    def message(self) -> str:
        """
        The class of its create message.
        """
        return f"{self.java}.Create{self.type[0].upper()}{self.type[1:]}"


def _service(name: str) -> Kind:
    return Kind(
        f"{name}Service",
        f"services/{name}Services",
        f"{_COMMON} dataProducts serviceType connection ingestionRunner>=1.7",
        "name serviceType",
        asset="pipelines testConnectionResult",
        java="api.services",
    )


KINDS = (
    _service("database"),
    _service("storage"),
    _service("pipeline"),
    _service("dashboard"),
    Kind(
        "database",
        "databases",
        f"{_ASSET} service default retentionPeriod",
        "name service",
        "databaseService",
        "service",
        "serviceType usageSummary databaseSchemas databaseProfilerConfig location",
    ),
    Kind(
        "databaseSchema",
        "databaseSchemas",
        f"{_ASSET} database retentionPeriod",
        "name database",
        "database",
        "database",
        "service serviceType usageSummary tables databaseSchemaProfilerConfig",
    ),
    Kind(
        "table",
        "tables",
        f"{_ASSET} tableType columns dataModel tableConstraints tablePartition tableProfilerConfig databaseSchema "
        "schemaDefinition retentionPeriod fileFormat aliases>=2.0 locationPath>=1.7 queries>=1.8",
        "name columns databaseSchema",
        "databaseSchema",
        "databaseSchema",
        "database service serviceType usageSummary joins sampleData customMetrics profile testSuite location "
        "certification>=1.6 pipelineObservability>=1.11 dataContract>=2.0",
    ),
    Kind(
        "container",
        "containers",
        f"{_ASSET} service parent dataModel prefix numberOfObjects size fileFormats fullPath",
        "name service",
        "storageService",
        "service",
        "children serviceType retentionPeriod certification>=1.6 dataContract>=2.0",
    ),
    Kind(
        "pipeline",
        "pipelines",
        f"{_ASSET} concurrency pipelineLocation startDate tasks service scheduleInterval state>=1.7",
        "name service",
        "pipelineService",
        "service",
        "pipelineStatus serviceType usageSummary certification>=1.6",
    ),
    Kind(
        "dashboard",
        "dashboards",
        f"{_ASSET} charts dataModels dashboardType project service",
        "name service",
        "dashboardService",
        "service",
        "serviceType usageSummary certification>=1.6",
    ),
    Kind(
        "query",
        "queries",
        f"{_COMMON} query query_type exclude_usage duration users usedBy queryDate queryUsedIn triggeredBy "
        "processedLineage service",
        "query service",
        "databaseService",
        "service",
        "checksum",
        is_soft=False,
    ),
    Kind(
        "classification",
        "classifications",
        f"{_COMMON} mutuallyExclusive provider",
        "name description",
    ),
    Kind(
        "tag",
        "tags",
        f"{_COMMON} classification parent provider mutuallyExclusive style",
        "name description classification",
        "classification",
        "classification",
    ),
    Kind(
        "domain",
        "domains",
        f"{_COMMON} domainType parent experts style",
        "name description domainType",
        is_soft=False,
    ),
    Kind("team", "teams", f"{_COMMON} teamType email users", "name teamType", is_soft=True),
    Kind(
        "user", "users", f"{_COMMON} email isBot isAdmin roles teams profile timezone", "name email"
    ),
    Kind("bot", "bots", f"{_COMMON} botUser provider", "name botUser"),
    Kind(
        "ingestionPipeline",
        "services/ingestionPipelines",
        f"{_COMMON} pipelineType sourceConfig airflowConfig loggerLevel service enabled raiseOnError provider",
        "name pipelineType sourceConfig airflowConfig service",
        "",
        "service",
        "pipelineStatuses deployed openMetadataServerConnection",
        java="api.services.ingestionPipelines",
    ),
    Kind(
        "testSuite",
        "dataQuality/testSuites",
        f"{_COMMON} executableEntityReference basicEntityReference>=1.7",
        asset="tests summary executable serviceType testCaseResultSummary basic>=1.7 inherited connection pipelines",
    ),
    Kind(
        "testDefinition",
        "dataQuality/testDefinitions",
        f"{_COMMON} entityType testPlatforms supportedDataTypes parameterDefinition",
        "name description entityType testPlatforms",
    ),
    Kind(
        "testCase",
        "dataQuality/testCases",
        f"{_COMMON} testDefinition entityLink testSuite parameterValues computePassedFailedRowCount useDynamicAssertion",
        "name testDefinition entityLink",
        asset="testCaseResult testCaseStatus entityFQN incidentId testSuites",
    ),
    Kind(
        "eventsubscription",
        "events/subscriptions",
        f"{_COMMON} alertType trigger resources input batchSize pollInterval retries enabled destinations provider "
        "reviewers template notificationTemplate>=1.10 config",
        "name",
        asset="filteringRules",
        is_soft=False,
        java="api.events",
    ),
)
BY_TYPE = {kind.type: kind for kind in KINDS}

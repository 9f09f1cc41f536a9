"""A Generator as a Serve replica."""

from __future__ import annotations

from actors.generator import Generator
from actors.logs import configure_logs
from actors.replica_connection import accept_pings, listen_on_node_address
from actors.working_dir import enter_working_dir
from staragents.base.generation import GenerationRequest
from staragents.config import ModelConfig

accept_pings()


class GeneratorReplica(Generator):
    """Loads its engine in the constructor and frees it in the destructor."""

    async def __init__(  # type: ignore[misc]
        self, config: ModelConfig, model_path: str, probes: tuple[GenerationRequest, ...] = ()
    ) -> None:
        configure_logs()
        enter_working_dir()
        listen_on_node_address()
        super().__init__(config, model_path, probes)
        await self.start()

    async def __del__(self) -> None:
        await self.stop()

"""vLLM's AsyncLLM inside the actor that owns it, one awaitable per request."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from actors.engines.core_log import CoreLog
from actors.engines.vllm_thinking import VllmThinking, model_type
from staragents.base.chat_rendering import rendered
from staragents.base.errors import EngineDead, EngineError, PromptTooLong
from staragents.base.generation import Generation, GenerationRequest, Sampling, TokenLogprobs
from staragents.base.messages import as_dicts
from staragents.base.system_turn import chat_turns
from staragents.config import ModelConfig
from staragents.models.model_size import GIB
from staragents.models.tokenizer_loading import load_tokenizer

if TYPE_CHECKING:
    from vllm import CompletionOutput, RequestOutput, SamplingParams

logger = logging.getLogger(__name__)


class VllmEngine:
    """One AsyncLLM. Batching is left to the engine: in a batch made outside, the slowest row would delay all
    others (ray#52634)."""

    def __init__(
        self, config: ModelConfig, model_path: str, probes: tuple[GenerationRequest, ...] = ()
    ) -> None:
        """`probes`: requests of the model's roles, whose prompts `start` makes before it loads the model."""
        self.config = config
        self.model_path = model_path
        self._probes = probes
        self._core_log = CoreLog()
        self._died: str | None = None

    async def start(self) -> None:
        """Load the model and generate one token. Raises EngineDead with vLLM's reason if that fails."""
        from vllm.config import StructuredOutputsConfig
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.exceptions import VLLMValidationError
        from vllm.v1.engine.async_llm import AsyncLLM
        from vllm.v1.engine.exceptions import EngineDeadError

        self._fatal: type[Exception] = EngineDeadError
        self._invalid: tuple[type[Exception], ...] = (VLLMValidationError, ValueError)
        self._read_tokenizer()
        arguments = self._engine_args()
        logger.info("starting vLLM with %s", arguments)
        if isinstance(given := arguments["structured_outputs_config"], dict):
            # AsyncEngineArgs sets the reasoning parser on it before it converts it (vllm 0.32).
            arguments["structured_outputs_config"] = StructuredOutputsConfig(**given)
        try:
            self._engine = AsyncLLM.from_engine_args(
                AsyncEngineArgs(**arguments), stat_loggers=_stat_loggers()
            )
            self._context = self._engine.model_config.max_model_len
            reasoning = self._engine.vllm_config.reasoning_config
            self._thinking.limits_thoughts = reasoning is not None and reasoning.enabled
            await self.generate(
                GenerationRequest("probe", Sampling(temperature=0.0, max_tokens=1), seed=0, prompt="Hello")
            )
        except Exception as error:
            raise self._not_started(error) from error

    def _read_tokenizer(self) -> None:
        """Read the tokenizer that vLLM will have, and make a prompt of every probe with it."""
        given = self.config.engine_args
        revision = given.get("revision")
        try:
            self._tokenizer = load_tokenizer(
                given.get("tokenizer") or self.model_path,
                given.get("tokenizer_revision") or revision,
                bool(given.get("trust_remote_code")),
            )
            kind = model_type(given.get("hf_config_path") or self.model_path, revision)
            self._thinking = VllmThinking(self._tokenizer, self.config, kind)
            for probe in self._probes:
                self._prompt_ids(probe)
        except EngineDead:
            raise
        except Exception as error:
            raise self._not_started(error) from error

    def _not_started(self, error: Exception) -> EngineDead:
        return EngineDead(f"vLLM could not start {self.config.model}: {self._reason(error)}")

    def _engine_args(self) -> dict[str, Any]:
        config = self.config
        gpus, nodes = max(1, int(config.num_gpus)), config.nodes
        return {
            "model": self.model_path,
            "dtype": self._dtype(),
            "max_model_len": config.max_model_len,
            "max_num_seqs": config.max_num_seqs,
            "gpu_memory_utilization": config.memory_share,
            "tensor_parallel_size": gpus // nodes,
            "pipeline_parallel_size": nodes,
            # On one node: one resource request for all GPUs of a replica and vLLM's own processes inside it,
            # without a placement group that could leak (ray#64035). On several nodes: vLLM's actors use the
            # placement group that Serve makes for the replica and removes with it.
            "distributed_executor_backend": "ray" if nodes > 1 else "mp" if gpus > 1 else "uni",
            "seed": 0,
            # Small judges otherwise spend their token budget on line breaks between JSON keys.
            **({} if config.num_gpus else self._cpu_args()),
            **(self._shared_gpu_args() if config.shares_gpu else {}),
            "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
            **self._thinking.engine_args,
            **config.engine_args,
        }

    def _cpu_args(self) -> dict[str, Any]:
        return {
            # Chunked prefill rewinds a request's random generator, which CPU generators don't support: seeded
            # requests would kill the engine ("CPU Generator does not use offset", vllm 0.32).
            "enable_chunked_prefill": False,
            "max_num_batched_tokens": max(2048, self.config.max_model_len),
        }

    def _shared_gpu_args(self) -> dict[str, Any]:
        # Otherwise vLLM measures what its weights leave of the GPU, and fails or reserves too much if another
        # engine or a scorer loads meanwhile: it sees the memory of the whole device (vllm 0.32).
        return {"kv_cache_memory_bytes": self.config.kv_cache_gib * GIB}

    def _dtype(self) -> str:
        if self.config.dtype != "auto" or self.config.num_gpus:
            return self.config.dtype
        import torch

        # Emulated bfloat16 is 2-4 times slower than float32 on a CPU without matrix instructions.
        has_amx = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()
        return "bfloat16" if has_amx else "float32"

    async def generate(self, request: GenerationRequest) -> Generation:
        """Answer one request. Raises PromptTooLong, EngineError (also after the timeout), EngineDead."""
        from vllm.inputs import TokensPrompt

        started = time.monotonic()
        prompt_ids = self._prompt_ids(request)
        room = self._context - len(prompt_ids)
        if room < 1:
            raise PromptTooLong(
                f"expected a prompt under {self._context} tokens (max_model_len), got {len(prompt_ids)}"
            )
        try:
            async with asyncio.timeout(request.deadline_s):
                output = await self._last(
                    self._engine.generate(
                        TokensPrompt(prompt_token_ids=prompt_ids),
                        self._sampling(request, prompt_ids, room),
                        request.request_id,
                        **self._thinking.request(request.messages is not None),
                    )
                )
        except TimeoutError:
            raise EngineError(f"no answer from {self.config.model} within {request.deadline_s:g} s") from None
        except self._fatal as error:
            raise EngineDead(self._death(error)) from error
        except self._invalid as error:
            raise EngineError(f"vLLM rejected the request: {error}") from error
        return self._generation(request, output, len(prompt_ids), time.monotonic() - started)

    async def _last(self, outputs: Any) -> RequestOutput:
        final: RequestOutput | None = None
        async for output in outputs:
            final = output
        if final is None:
            raise EngineError(f"vLLM ended a request to {self.config.model} without an answer")
        return final

    def _prompt_ids(self, request: GenerationRequest) -> list[int]:
        if request.messages is None:
            return list(self._tokenizer(request.prompt)["input_ids"])
        if not self._tokenizer.chat_template:
            raise EngineError(
                f"{self.config.model} has no chat template: set models.*.chat=false and give its agents "
                "a raw prompt such as few_shot"
            )
        messages = self._thinking.mode.flagged(chat_turns(request.messages, self._tokenizer))
        return list(
            rendered(
                self._tokenizer,
                as_dicts(messages),
                add_generation_prompt=True,
                tokenize=True,
                return_dict=False,
                **self._thinking.mode.variables,
            )
        )

    def _sampling(self, request: GenerationRequest, prompt_ids: list[int], room: int) -> SamplingParams:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        sampling, thinking = request.sampling, self._thinking
        thinks = request.messages is not None and thinking.mode.thinks
        schema = request.json_schema if not thinks or thinking.may_have_schema(prompt_ids) else None
        more = thinking.tokens if thinks else 0
        # Leave room for the answer where the context is short.
        most = min(more, max(0, room - sampling.max_tokens))
        return SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=min(sampling.max_tokens + more, room),
            # A stop string could end a thought.
            stop=list(sampling.stop) or None if not thinks else None,
            thinking_token_budget=most if thinks and thinking.limits_thoughts else None,
            # They may mark a thought.
            skip_special_tokens=not thinks,
            # A greedy request needs no seed, and a seed would cost it a generator of its own.
            seed=request.seed if sampling.temperature > 0 else None,
            logprobs=request.top_logprobs or None,
            structured_outputs=StructuredOutputsParams(json=schema) if schema else None,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

    def _generation(
        self, request: GenerationRequest, output: RequestOutput, tokens_in: int, seconds: float
    ) -> Generation:
        answer = output.outputs[0]
        if answer.finish_reason not in ("stop", "length"):
            raise EngineError(f"vLLM ended a request with {answer.finish_reason!r}")
        generation = Generation(
            text=answer.text,
            finish_reason=answer.finish_reason,  # type: ignore[arg-type]
            tokens_in=tokens_in,
            tokens_out=len(answer.token_ids),
            seconds=seconds,
            logprobs=_logprobs(answer),
        )
        if request.messages is None:
            return generation
        return self._thinking.answered(generation, answer.token_ids, request.sampling)

    async def check(self) -> None:
        try:
            await self._engine.check_health()
        except Exception as error:
            raise EngineDead(self._death(error)) from error

    def _death(self, error: Exception) -> str:
        """The log is read once: all requests in flight fail at the same time."""
        if self._died is None:
            self._died = f"the vLLM engine of {self.config.model} died: {self._reason(error)}"
        return self._died

    def _reason(self, error: Exception) -> str:
        reason = self._core_log.reason() or " ".join(str(error).split())
        # vLLM advises a larger gpu_memory_utilization, from which it takes no cache here.
        if "available KV cache memory" in reason and self.config.num_gpus < 1:
            return f"{reason}; raise models.*.kv_cache_gib, now {self.config.kv_cache_gib}"
        return reason

    async def stop(self) -> None:
        if hasattr(self, "_engine"):
            self._engine.shutdown()


def _logprobs(answer: CompletionOutput) -> tuple[TokenLogprobs, ...]:
    return tuple(
        TokenLogprobs(
            text=options[token].decoded_token or "",
            top={entry.decoded_token or "": entry.logprob for entry in options.values()},
        )
        for token, options in zip(answer.token_ids, answer.logprobs or (), strict=False)
        if options
    )


def _stat_loggers() -> list[Any] | None:
    """Export vLLM's metrics with Ray's, as `ray_vllm_*`; outside Ray they stay in the process."""
    import ray

    if not ray.is_initialized():
        return None
    from vllm.v1.metrics.ray_wrappers import RayPrometheusStatLogger

    return [RayPrometheusStatLogger]

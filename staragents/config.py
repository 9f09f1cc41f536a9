"""Every setting, one dataclass a section. Built by `staragents.config_loading.load_config`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class EngineKind(StrEnum):
    vllm = "vllm"
    openai = "openai"
    recorded = "recorded"
    fake = "fake"


class RowFormat(StrEnum):
    auto = "auto"
    alpaca = "alpaca"
    dolly = "dolly"
    question_answer = "question_answer"
    prompt_completion = "prompt_completion"
    preference = "preference"
    history = "history"
    messages = "messages"
    sharegpt = "sharegpt"
    tree = "tree"
    self_instruct = "self_instruct"


@dataclass
class ColumnsConfig:
    """Which column holds what, where your names are not those of a known format. Those left out are found."""

    instruction: str | None = None
    """The user's text."""
    input: str | None = None
    """More of the user's text, put below the instruction."""
    response: str | None = None
    """The answer."""
    messages: str | None = None
    """A list of turns, in place of the three above."""
    history: str | None = None
    """Earlier exchanges: a list of [question, answer]."""
    system: str | None = None
    """The system prompt."""


@dataclass
class SeedsConfig:
    """Where the instruction-tuning data comes from."""

    path: str = ""
    """JSONL, JSON, CSV, Parquet or Arrow, plain or packed: a file, a folder, a pattern like `data/*.jsonl`, a
    URL that fsspec knows (s3://, gs://), `hf:dataset[:split]`, or `bundled:self-instruct`, ours."""
    format: RowFormat = RowFormat.auto
    """auto looks at each row's columns; any other takes only rows of this format."""
    columns: ColumnsConfig = field(default_factory=ColumnsConfig)
    """Your names of columns. They win over what auto would find."""
    limit: int | None = None
    """Take only the first so many usable rows; unset takes all."""
    strict: bool = False
    """Stop before anything is written if any row is bad, instead of putting bad rows into quarantine."""
    max_chars: int = 100_000
    """A longer field is a bad row: one huge row would hold an engine for minutes."""
    max_unpacked_gib: float = 64.0
    """A packed file that unpacks to more ends the run: it may be a zip bomb."""


@dataclass
class FakeConfig:
    """How a `fake` engine behaves: for load and fault tests, marked as fake in every output."""

    latency_s: float = 0.0
    """Mean time an answer takes."""
    failure_rate: float = 0.0
    """Share of requests that raise, chosen by the request's hash, so that a retry may succeed."""
    refusal_rate: float = 0.0
    """Share of answers that are refusals."""


@dataclass
class ModelConfig:
    """One engine, shared by every agent and judge that names it."""

    kind: EngineKind = EngineKind.vllm
    """vllm (on this cluster), openai (any OpenAI-compatible server), recorded (a table) or fake."""
    model: str = ""
    """A hub id, a local folder, or `packaged:smollm2-135m-instruct`. For recorded: the agent in the table, or
    `judge`."""
    table: str | None = None
    """For recorded: JSONL or .gz with `instruction` and `response` {agent: text}; for `judge` also with
    `reference`, the seed's response, and `win` {agent: 0 to 1}. What it lacks fails."""
    dtype: str = "auto"
    """auto takes bfloat16 on a GPU and on a CPU with AMX, else float32, which is 2-4x faster there."""
    max_model_len: int = 4096
    """Longest prompt plus answer in tokens; the KV cache is sized for it."""
    max_num_seqs: int = 64
    """Sequences an engine decodes together: more is more throughput until the KV cache is full."""
    min_replicas: int = 1
    """Replicas to start with and never go below."""
    max_replicas: int = 1
    """Replicas the pool may grow to while requests queue."""
    num_gpus: float = 0.0
    """GPUs of one replica; with more than one the model is split by tensor parallelism."""
    nodes: int = 1
    """Nodes that one replica's GPUs lie on, the same number on each: more than one for a model that no node
    holds. It is split by tensor parallelism on a node and by pipeline parallelism from node to node."""
    num_cpus: float = 1.0
    """CPUs of one replica; for a vLLM on the CPU also its number of OpenMP threads."""
    resources: dict[str, float] = field(default_factory=dict)
    """Custom resources of one replica, to choose its nodes: {"accelerator_type:H100": 0.01}. With nodes above
    1 each of its GPUs takes so much."""
    gpu_memory_utilization: float = 0.9
    """Share of the GPU's memory vLLM may take; lower it if scorers live on the same GPU."""
    kv_cache_gib: int = 1
    """KV cache of a vLLM on the CPU."""
    engine_args: dict[str, Any] = field(default_factory=dict)
    """Further keyword arguments for vLLM's AsyncEngineArgs, as they are."""
    silence_s: float = 300.0
    """A replica that has work and finishes none of it for so long is replaced (vllm#53157)."""
    base_url: str | None = None
    """For openai: the server's address, such as http://127.0.0.1:8000/v1."""
    api_key_env: str | None = None
    """For openai: the name of the environment variable that holds the key. Never the key itself."""
    price_in: float = 0.0
    """What a million tokens of prompts cost. Prices make `plan`, `preview` and a run count money."""
    price_out: float = 0.0
    """What a million tokens of answers cost."""
    price_gpu_hour: float = 0.0
    """What a GPU of this pool costs an hour. Counted for min_replicas: what a pool grows to comes on top."""
    chat: bool = True
    """False for a base model without a chat template: agents send it raw text."""
    fake: FakeConfig = field(default_factory=FakeConfig)

    @property
    def max_ongoing(self) -> int:
        """Requests a replica holds at once. Half as many again as a vLLM engine runs: when several of its
        requests end in one step, others take their places in the next; a deeper queue would only hide load.
        A server that is not ours gets what it was promised."""
        return round(1.5 * self.max_num_seqs) if self.kind is EngineKind.vllm else self.max_num_seqs


@dataclass
class AgentConfig:
    """A name for (model, prompt, sampling). The role is the section it stands in."""

    model: str = ""
    """A name from `models`; empty only for the prompt `keep`, which needs no model."""
    prompt: str = ""
    """A template we ship (see staragents/prompts), or the path of your own .j2 file."""
    temperature: float = 0.7
    """0 is greedy; rewriting profits from variety."""
    top_p: float = 0.95
    """Nucleus sampling."""
    max_tokens: int = 512
    """An answer that reaches it is cut off, hence rejected."""
    stop: list[str] = field(default_factory=list)
    """Texts that end the answer."""


@dataclass
class AgentsConfig:
    """Who rewrites instructions and who answers them."""

    instruction: dict[str, AgentConfig] = field(default_factory=dict)
    """Instruction agents by name. The prompt `keep` leaves the instruction as it is (the paper's runs)."""
    response: dict[str, AgentConfig] = field(default_factory=dict)
    """Response agents by name."""
    pairs: list[str] | None = None
    """`instruction+response` names; unset: every combination."""
    base_pairs: list[str] = field(default_factory=list)
    """Pairs called for every seed, whatever the policy thinks (paper 3.1)."""
    keep_language: bool = True
    """Reject a rewrite or an answer that is certainly in another language than its seed (`other_language`).
    Off: for agents that are meant to translate."""
    retired: list[str] = field(default_factory=list)
    """Agents or pairs that are drawn no more, such as those of a model that is gone. What was learnt about
    them stays. May change when a run is resumed, and new agents and models may come."""


class PolicyName(StrEnum):
    uniform = "uniform"
    paper = "paper"
    additive = "additive"
    ucb = "ucb"
    thompson = "thompson"
    exp3 = "exp3"


@dataclass
class EvolutionConfig:
    """Which pairs a seed gets, and how that is learnt (paper 3.2, eq. 8)."""

    policy: PolicyName = PolicyName.thompson
    """thompson and ucb (a belief about every agent and pair), paper (eq. 8), additive (eq. 8 with a floor),
    exp3 (no assumption about rewards, slow) or uniform (learns nothing)."""
    draws: int = 2
    """Pairs drawn for each seed without replacement, besides the base pairs."""
    rate: float = 7.0
    """paper, additive: c in beta = c / number of seeds; 5 to 20 is safe, 100 locks on to a wrong pair."""
    floor: float = 0.002
    """Share of the draw that stays uniform, so that no pair is lost for ever; the paper has 0. Larger makes
    off-policy estimates of other policies better, and the run worse."""
    exploration: float = 0.2
    """thompson, ucb: how widely a draw looks around what is known so far. Less earns more in most runs and
    may miss the best pair in some; 0.4 suits long runs."""
    discount: float = 1.0
    """thompson, ucb, exp3: what a seed's outcomes still count one seed later; below 1 the policy follows a
    judge or models that change, and learns less: 0.999 remembers the last 1,000 seeds or so."""
    credit: str = "all"
    """Whose reward counts: all evaluated pairs, or the winner's only (the paper's reading)."""
    memory_weight: float = 1.0
    """thompson, ucb, additive: multiplies what recalled neighbours were found to be worth; 0 ignores them."""
    recalled_draws: int | None = None
    """paper: l, the draws taken from the neighbours' pairs; unset is ceil(draws / 2)."""


class Template(StrEnum):
    plain = "plain"
    chat = "chat"
    alpaca = "alpaca"


class Convention(StrEnum):
    exact = "exact"
    superfiltering = "superfiltering"


class Execution(StrEnum):
    auto = "auto"
    packed = "packed"
    padded = "padded"


@dataclass
class ScorerModelConfig:
    """One of the two models whose surprise is measured."""

    model: str = ""
    """A hub id, a local folder, `packaged:...`, or `fake`."""
    dtype: str = "auto"
    """auto: bfloat16 on a GPU, float32 on a CPU. The log-softmax is float32 always."""
    replicas: int = 1
    """Scorer actors of this model, at least."""
    max_replicas: int | None = None
    """Grow to so many while rows wait, and shrink again; null never does."""
    num_gpus: float = 0.0
    """GPUs of one actor; a fraction shares a GPU."""
    num_cpus: float = 1.0
    """CPUs, and threads, of one actor."""
    resources: dict[str, float] = field(default_factory=dict)
    """Custom resources of one actor, to choose its nodes: {"accelerator_type:L40S": 0.01}."""
    price_gpu_hour: float = 0.0
    """What a GPU of these actors costs an hour."""
    adapter: str | None = None
    """A LoRA adapter on top of the model: a folder or hub id (needs the package peft)."""
    quantization: str | None = None
    """8bit or 4bit, where the weights would not fit (needs the package bitsandbytes)."""
    device_map: str | None = None
    """auto spreads a model over the actor's GPUs, if it is bigger than one."""

    @property
    def most_replicas(self) -> int:
        return self.replicas if self.max_replicas is None else self.max_replicas


@dataclass
class ScoringConfig:
    """IFD of seed and candidate under the target and a larger model (paper eq. 4-5)."""

    target: ScorerModelConfig = field(default_factory=ScorerModelConfig)
    """The model that will be trained on the data (or a smaller one)."""
    larger: ScorerModelConfig = field(default_factory=ScorerModelConfig)
    """A stronger model: what is hard for it too is too hard."""
    template: Template = Template.plain
    """How a prompt is written for scoring; a chat template on a base model pushes every IFD above 1."""
    convention: Convention = Convention.exact
    """exact scores the same answer tokens in both passes; superfiltering reproduces published tables."""
    execution: Execution = Execution.auto
    """packed runs many sequences in one row without padding; auto takes it where the model allows it."""
    max_length: int = 2048
    """Longest prompt plus answer in tokens; only answers are cut, alike in both passes."""
    batch_tokens: int = 8192
    """Token budget of one forward pass: memory against speed. A CPU takes at most 1024."""
    min_answer_tokens: int = 5
    """Shorter answers get the status too_short: their IFD is noise."""
    cache_mib: int = 64
    """Losses that each scorer remembers, at about 48 bytes each: an answer that comes again, with whatever
    prompt, costs one pass and not two. 0 remembers none."""
    cache_path: str | None = None
    """Keep them in this SQLite file, for later runs: an absolute path on every node's own disk (SQLite is not
    for network file systems). Unset: in memory."""


class Verdicts(StrEnum):
    soft = "soft"
    hard = "hard"
    conservative = "conservative"


class Baseline(StrEnum):
    seed = "seed"
    base = "base"


class Compare(StrEnum):
    pair = "pair"
    response_same_instruction = "response_same_instruction"


@dataclass
class JudgeConfig:
    """Who compares a candidate with what it should beat, in both orders (paper eq. 6)."""

    model: str = ""
    """A name from `models`. A family other than the generators' is recommended."""
    verdict: Verdicts = Verdicts.soft
    """soft uses the verdict tokens' probabilities; hard and conservative only the verdict's text."""
    baseline: Baseline = Baseline.seed
    """seed: better than what you had. base: better than the first base pair's sample, as in the paper."""
    compare: Compare = Compare.pair
    """pair judges instruction and response together; response_same_instruction lets the base agent answer
    the candidate's instruction too, at the cost of one more generation."""
    both_orders: bool = True
    """False saves half the calls and lets position bias through; the paper describes no swap."""
    reason: bool = True
    """A short reason before the verdict; costs tokens, helps larger judges."""
    max_reason_chars: int = 200
    """Length of that reason."""
    max_text_chars: int = 6000
    """Longer texts are shown to the judge cut in the middle, both sides alike."""
    retries: int = 1
    """Further tries at an unreadable verdict; then the row is `invalid`, not a tie."""


class Difficulty(StrEnum):
    rank = "rank"
    paper = "paper"
    target_only = "target_only"
    gap_p95 = "gap_p95"


class Composite(StrEnum):
    product = "product"
    weighted = "weighted"
    judge_only = "judge_only"
    dual_only = "dual_only"
    random = "random"


class Cost(StrEnum):
    none = "none"
    tokens = "tokens"
    seconds = "seconds"


class Fallback(StrEnum):
    seed = "seed"
    base = "base"
    none = "none"


@dataclass
class RewardConfig:
    """One number for difficulty and verdict, and what goes into the dataset (paper eq. 5-7)."""

    difficulty: Difficulty = Difficulty.rank
    """rank: the gap's running rank in the run; paper: gap over the seed's largest gap."""
    composite: Composite = Composite.product
    """product is the paper's eq. 7; weighted is the mean of both; the others are ablations, random a pick
    that knows nothing."""
    require_win: bool = True
    """Only candidates the judge prefers (w > 1/2) are chosen; the paper has no threshold."""
    cost: Cost = Cost.none
    """What the policy learns reward per: tokens or seconds of a candidate, verdicts included. Which candidate
    is chosen stays the same. seconds differ from run to run, so that draws can't be repeated."""
    fallback: Fallback = Fallback.seed
    """If nothing is chosen: keep the seed, take the base pair's sample, or leave the seed out."""


class Quantization(StrEnum):
    none = "none"
    int8 = "int8"
    binary = "binary"


@dataclass
class MemoryConfig:
    """The instruction memory bank: which pairs did well on instructions like this one (paper 3.3)."""

    enabled: bool = True
    """Off: no embedding model is loaded and every draw is context-free."""
    embedder: str = "packaged:all-minilm-l6-v2"
    """A sentence-transformers model: hub id, local folder, `packaged:...`, or `fake`."""
    url: str | None = None
    """A Qdrant server; unset uses qdrant-client's local mode inside the run directory's cache."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the Qdrant key."""
    collection: str | None = None
    """Name on the server; unset: one per run, so that runs don't mix."""
    neighbours: int = 10
    """n: how many similar instructions are recalled."""
    min_similarity: float = 0.5
    """Cosine below which a neighbour says nothing."""
    warmup: int = 10
    """Seeds per pair before recall counts: an early bank only knows what was tried first."""
    max_points: int = 100_000
    """Size bound. First to leave are winners of small reward, and those that only repeat what a winner of the
    same pair on a near instruction says."""
    min_reward: float = 0.0
    """Insert only rewards above it."""
    reuse: list[str] = field(default_factory=list)
    """Run directories of earlier runs whose winners are remembered from the start, embedded anew."""
    timeout_s: float = 2.0
    """Deadline of one query; when it passes the draw is made without memory."""
    exact: bool = True
    """On a server: compare with every point. False uses the index, quicker beyond 100,000 points or so, and
    lets the same run recall other neighbours when it is repeated."""
    hnsw: dict[str, Any] = field(default_factory=dict)
    """On a server: the index's settings for a new collection, such as {m: 16, ef_construct: 100}."""
    quantization: Quantization = Quantization.none
    """On a server, for a new collection: int8 takes a quarter of the memory, binary a 32nd (for large
    embeddings); either counts with exact=false only."""
    on_disk: bool = False
    """On a server, for a new collection: keep the vectors on disk."""


class FilterAction(StrEnum):
    off = "off"
    flag = "flag"
    drop = "drop"


@dataclass
class FiltersConfig:
    """What the finished dataset leaves out (drop) or marks in its column `flags` (flag). Draws and rewards
    stay as they are. Where a candidate is dropped, its seed takes its place if reward.fallback is seed."""

    duplicates: FilterAction = FilterAction.drop
    """A conversation with the same words as an earlier row."""
    near_duplicates: FilterAction = FilterAction.off
    """One that is almost the same (needs the package datasketch); about 0.4 ms and 7 kB a row."""
    similarity: float = 0.8
    """near_duplicates: Jaccard similarity of three-word shingles from which rows are almost the same."""
    evaluation: list[str] = field(default_factory=list)
    """Evaluation sets that must not be trained on: files or folders of JSONL, JSON, CSV or Parquet."""
    contamination: FilterAction = FilterAction.drop
    """A turn that has `ngram` words in a row in common with a text of the evaluation sets."""
    ngram: int = 13
    """13 is GPT-3's; 8 finds more and hits more common phrases."""
    refusal: FilterAction = FilterAction.flag
    """A response that declines, or says "as an AI". Candidates like that are rejected before; seeds not."""
    repetition: FilterAction = FilterAction.flag
    """A response that loops."""
    length: FilterAction = FilterAction.flag
    """A response of fewer than min_words or more than max_words words."""
    min_words: int = 1
    """1 finds responses without a word."""
    max_words: int | None = None
    """Unset: no limit."""
    pii: FilterAction = FilterAction.flag
    """E-mail and IP addresses, telephone, bank account, card and social security numbers, by their form."""
    secrets: FilterAction = FilterAction.flag
    """Keys and tokens of well-known services, private keys."""
    blocked: FilterAction = FilterAction.drop
    """A word or phrase of the block list, for toxic text."""
    block_list: str | None = None
    """A text file with one word or phrase a line. None is shipped: what is toxic is yours to say."""


@dataclass
class RunConfig:
    """The loop itself."""

    seed: int = 0
    """Root of all randomness."""
    admitted_seeds: int = 32
    """Seeds in work at once. The draw for a seed knows the results up to this many seeds before it, whatever
    order they finish in: larger keeps big pools busy, smaller learns sooner."""
    workers: int = 0
    """Processes beside the coordinator that carry seeds through the models, a CPU each. With 0 the
    coordinator does it itself. Nothing but speed depends on it."""
    attempts: int = 3
    """Tries of one generation before its candidate goes to quarantine."""
    deadline_s: float = 600.0
    """Longest wait for one generation or scoring call."""
    checkpoint_s: float = 5.0
    """At most this much finished work is done again after a kill."""
    max_error_rate: float = 0.5
    """Stop when more than this share of the last 100 or more candidates failed: the engines are broken."""
    max_tokens: int | None = None
    """End the run before a seed that, at the mean cost of a seed so far, would take all tokens read and
    written beyond this. The run is then saved like any other; with a larger value it goes on."""
    budget: float | None = None
    """End the run before a seed that, at the mean price of a seed's tokens so far, would take its cost
    beyond this: in `currency`, GPUs by the hour included. Seeds in work are finished, so that GPUs cost a
    little more. With a larger value it goes on."""
    currency: str = "USD"
    """What prices and budget are in. A word for people: nothing is converted."""
    max_minutes: float | None = None
    """Start no further seed after so much time at work, earlier sessions of the run included."""
    patience: int | None = None
    """End the run when the mean reward of so many seeds is not above that of as many before by more than its
    90 % interval. A small number ends by chance: 50 sees a rise of about 0.1, 500 one of 0.03."""
    metrics: bool = True
    """Report metrics to Ray, which exports them on every node (docs/operations.md)."""


@dataclass
class OutputConfig:
    """The run directory."""

    dir: str = "runs/run"
    """Created if it does not exist; a run directory of the same config is resumed."""
    resume: str = "auto"
    """auto resumes what is there, never refuses to, must refuses to start anew."""
    title: str = "Optimised instruction data"
    """Heading of the dataset card and the report."""
    licence: str = "unknown"
    """Licence of the dataset for its card, as the hub spells it, such as apache-2.0. Yours to find out: it
    depends on the seeds and on the models."""


@dataclass
class Config:
    """A whole run. See configs/ for presets."""

    seeds: SeedsConfig = field(default_factory=SeedsConfig)
    models: dict[str, ModelConfig] = field(default_factory=dict)
    agents: AgentsConfig = field(default_factory=AgentsConfig)
    evolution: EvolutionConfig = field(default_factory=EvolutionConfig)
    scoring: ScoringConfig = field(default_factory=ScoringConfig)
    judge: JudgeConfig = field(default_factory=JudgeConfig)
    reward: RewardConfig = field(default_factory=RewardConfig)
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    filters: FiltersConfig = field(default_factory=FiltersConfig)
    run: RunConfig = field(default_factory=RunConfig)
    output: OutputConfig = field(default_factory=OutputConfig)

    @property
    def pairs(self) -> list[str]:
        """All pairs of the run, base pairs included, in a fixed order."""
        named = self.agents.pairs
        if named is None:
            named = [f"{i}+{r}" for i in self.agents.instruction for r in self.agents.response]
        return named + [pair for pair in self.agents.base_pairs if pair not in named]

    @property
    def retired_pairs(self) -> set[str]:
        """Pairs that are retired themselves or have a retired agent."""
        retired = set(self.agents.retired)
        return {pair for pair, agents in self.factors.items() if retired & {pair, *agents}}

    @property
    def factors(self) -> dict[str, tuple[str, str]]:
        """The names of the instruction agent and the response agent of every pair."""
        return {pair: (pair.partition("+")[0], pair.partition("+")[2]) for pair in self.pairs}

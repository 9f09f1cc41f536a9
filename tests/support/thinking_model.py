"""SmolLM2 with a chat template that thinks: two tokens that it never uses get the names of tags.

It has not learned to think: what it writes there is arbitrary, and vLLM ends its thoughts at their maximum.
"""

from __future__ import annotations

import json
from pathlib import Path

TAGS = {"<jupyter_text>": "<think>", "<jupyter_code>": "</think>"}
TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
<think>
{% if enable_thinking is defined and enable_thinking is false %}

</think>

{% endif -%}
{%- endif -%}
"""


def thinking_model(source: Path, folder: Path) -> Path:
    """Make the model in `folder` from that in `source`, whose weights are linked."""
    folder.mkdir()
    for path in source.iterdir():
        if path.name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
            text = path.read_text(encoding="utf-8")
            for old, new in TAGS.items():
                text = text.replace(json.dumps(old)[1:-1], new)
            (folder / path.name).write_text(text, encoding="utf-8")
        elif not path.name.endswith(".jinja"):
            (folder / path.name).symlink_to(path)
    settings_path = folder / "tokenizer_config.json"
    settings = json.loads(settings_path.read_text(encoding="utf-8"))
    settings_path.write_text(json.dumps({**settings, "chat_template": TEMPLATE}), encoding="utf-8")
    return folder

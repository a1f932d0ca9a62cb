"""Renders the chat templates with jinja2, set up as transformers does, and keeps the results: `chat_templates.py [NAME=JINJA]...` renews the Jinja of a
template first. Needs jinja2."""

import json
import os
import sys

from jinja2.sandbox import ImmutableSandboxedEnvironment

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "chat_templates.json")
golden = json.load(open(path, encoding="utf-8")) if os.path.exists(path) else {"jinja": {}}
for argument in sys.argv[1:]:
    name, jinja = argument.split("=", 1)
    golden["jinja"][name] = jinja

environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])


def render(jinja, case):
    def refuse(message):
        raise ValueError(message)

    return environment.from_string(jinja).render(
        messages=case["messages"], add_generation_prompt=case["addsPrompt"], bos_token="<s>", eos_token="</s>", raise_exception=refuse, tools=None)


def turn(role, content):
    return {"role": role, "content": content}


greeting = [turn("user", "你好，雨燕！"), turn("assistant", "你好！今天想聊什么？")]
golden["cases"] = [
    {"messages": [turn("user", "雨燕吃什么？")], "addsPrompt": True},
    {"messages": greeting, "addsPrompt": False},
    {"messages": [turn("system", "你是雨燕。"), *greeting, turn("user", " 它们\n什么时候落地？ ")], "addsPrompt": True},
    {"messages": [one for number in range(5) for one in [turn("user", f"问{number}"), turn("assistant", f"答{number}")]] + [turn("user", "末问")], "addsPrompt": True},
]
for case in golden["cases"]:
    case["rendered"] = {name: render(jinja, case) for name, jinja in golden["jinja"].items()}

# In the manner of what model makers publish: loops with other white space, defaults, tools, error messages.
chatml = (
    "{%- if tools %}{{- '<|im_start|>system\\n# Tools\\n<tools>' }}{%- else %}{%- if messages[0]['role'] == 'system' %}\n"
    "{{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}\n{%- else %}\n"
    "{{- '<|im_start|>system\\nYou are a swift.<|im_end|>\\n' }}\n{%- endif %}{%- endif %}\n"
    "{%- for message in messages %}{%- if not (loop.first and message['role'] == 'system') %}\n"
    "{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}\n{%- endif %}{%- endfor %}\n"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
llama3 = (
    "{% for message in messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = '<|begin_of_text|>' + content %}{% endif %}{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
llama2 = (
    "{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% set system = messages[0]['content'] %}"
    "{% else %}{% set rest = messages %}{% set system = false %}{% endif %}{% for message in rest %}"
    "{% if loop.index0 == 0 and system != false %}{% set content = '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' + message['content'] | trim %}"
    "{% else %}{% set content = message['content'] | trim %}{% endif %}"
    "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' + content + ' ' + eos_token }}{% endif %}{% endfor %}"
)
zephyr = "{% for message in messages %}{{ '<|' + message['role'] + '|>\\n' + message['content'] + eos_token + '\\n' }}{% endfor %}"
mistral = "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% endif %}{% endfor %}"
golden["published"] = [
    {"jinja": jinja, "name": name, "rendered": [render(jinja, case) for case in golden["cases"]]}
    for jinja, name in [(chatml, "chatml"), (llama3, "llama3"), (llama2, "llama2"), (zephyr, None), (mistral, None)]
]
with open(path, "w", encoding="utf-8") as file:
    json.dump(golden, file, ensure_ascii=False, indent=1)
    file.write("\n")

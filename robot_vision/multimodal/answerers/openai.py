"""Models behind OpenAI's interface: its own, and those of vLLM, Ollama, llama.cpp and others."""

from robot_vision.multimodal.hosted.chat_completions import PATH, bearer, chat_body, read_chat
from robot_vision.multimodal.hosted.hosted import Interface, register_interface

register_interface(
    Interface(
        name="openai",
        about="a model behind an OpenAI-compatible interface (chat/completions)",
        url="https://api.openai.com/v1",
        key_variable="OPENAI_API_KEY",
        path=lambda _: PATH,
        headers=bearer,
        body=chat_body,
        read=read_chat,
    )
)

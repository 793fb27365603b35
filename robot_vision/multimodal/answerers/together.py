"""Together's models, which use chat/completions at Together's own address."""

from robot_vision.multimodal.hosted.chat_completions import PATH, bearer, chat_body, read_chat
from robot_vision.multimodal.hosted.hosted import Interface, register_interface

register_interface(
    Interface(
        name="together",
        about="a model that Together hosts",
        url="https://api.together.xyz/v1",
        key_variable="TOGETHER_API_KEY",
        path=lambda _: PATH,
        headers=bearer,
        body=chat_body,
        read=read_chat,
    )
)

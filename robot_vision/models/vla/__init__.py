"""A vision-language model as a policy: adapters locate its parts, `sight` uses them."""

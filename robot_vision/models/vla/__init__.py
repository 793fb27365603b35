"""A vision-language model as a policy: adapters say where its parts are, `sight` uses them."""

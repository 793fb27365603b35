"""From a vision-language model in a folder to a recipe that trains it as a policy."""

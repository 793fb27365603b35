"""`python -m robot_vision`: the same as the command `robot-vision`."""

from robot_vision.cli import main

main()

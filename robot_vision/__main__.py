"""`python -m robot_vision`: as the command `robot-vision`."""

from robot_vision.cli import main

main()

"""The arms: tables, models, URDF, joints."""

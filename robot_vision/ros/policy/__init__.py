"""The node `policy`: perceptions, the arm's state and an instruction in; commands out.

`inputs`, `cameras` and `common/camera_pose` receive → `worker` (the thread that decides) →
`commander` (controller and figures) → `outputs` and `actions`, at the even ticks of a stream. A
perception node in the same process hands its perceptions over in memory instead of by topics.
`loading` finds the bundle; `node` is the life cycle, `configured` and `active` what it holds
meanwhile; `diagnostics` and `server_words` report.
"""

"""From a room scan without frames (Apple RoomPlan) to walls, openings, floors and furniture."""

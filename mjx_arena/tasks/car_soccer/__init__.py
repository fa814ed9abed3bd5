from mjx_arena.tasks.car_soccer.arena import CarSoccer, CarSoccerSettings

__all__ = ["CarSoccer", "CarSoccerSettings"]

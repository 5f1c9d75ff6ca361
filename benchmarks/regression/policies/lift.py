"""The scripted grasp as a policy of `lift`: over the object, down, close, and up to the goal."""

from sim.regress.engine_probes import ScriptedGrasp

_grasp = ScriptedGrasp()
act = _grasp.act
reset = _grasp.begin

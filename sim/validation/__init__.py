"""Physical validation of scenes and cousins.

Input: scenes and assets. Output: settled scenes, gate reports with measured values beside thresholds, results of
affordance tests, and blocks of cousins that passed stability trials.
"""

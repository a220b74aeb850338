"""flow file -> one approved action -> steps, each an action of its own -> done, or taken back.

A flow is a tool like any other: one card, one approval, one receipt, one undo. Its steps are
actions in the same journal under keys made from the flow's id, so a flow that died goes on where it
stopped, and nothing is done twice.
"""

from tools.flows.checking import flow_problems
from tools.flows.definition import FlowDefinition, FlowFileError, read_flow, read_flows
from tools.flows.drive import FlowParts
from tools.flows.engine import FlowTool, FlowUndoTool
from tools.flows.kits import KitTool, flow_tools
from tools.flows.offering import flow_manifests
from tools.flows.proposals import Proposed, Standing

__all__ = [
    "FlowDefinition",
    "FlowFileError",
    "FlowParts",
    "FlowTool",
    "FlowUndoTool",
    "KitTool",
    "Proposed",
    "Standing",
    "flow_manifests",
    "flow_problems",
    "flow_tools",
    "read_flow",
    "read_flows",
]

"""The kinds of made bodies: each draws itself with the lesions that ``phantom.plan`` put into its places.

A kind is a module with a function ``scene(rng, size)``; what it alone needs lies beside it: ``dermoscope`` is
of ``skin``; ``head`` and ``coronal`` of ``brain``; ``scanner``, ``thorax_parts`` and ``thorax_fine`` of
``thorax``; ``breast`` and ``breast_tissue`` of ``mammogram``.
"""

"""What decompositions, solvers, Fourier transforms and distances cost (see flop_formulas.py).

Leading orders for dense real matrices, after G. H. Golub and C. F. Van Loan, Matrix Computations,
4th edition ("GVL") and LAPACK Working Note 41, appendix C ("LAWN 41"). For m x n with m >= n:

LU                    n^2 (m - n/3), so 2/3 n^3 of a square        GVL 3.2, LAWN 41
Cholesky, LDL         n^3/3                                        GVL 4.2
triangular solve      n^2 a right side; two of them after LU or Cholesky
inverse               2 n^3 with its LU; 2/3 n^3 after Cholesky    LAWN 41
QR                    2 n^2 (m - n/3), as much again for Q         GVL 5.2
SVD                   2 m n^2 + 2 n^3 for values alone, 6 m n^2 + 20 n^3 with thin vectors,
                      4 m^2 n + 22 n^3 with full ones              GVL 8.6, R-SVD
symmetric eigen       4/3 n^3 for values, 9 n^3 with vectors       GVL 8.3
eigen                 10 n^3 for values, 25 n^3 with vectors       GVL 7.5
matrix exponential    five products, 10 n^3: the squarings depend on values and are left out
                      (Bader, Blanes, Casas, Mathematics 7, 2019)

A complex Fourier transform of N points takes 5 N log2 N real FLOPs, a real one half of that
(J. W. Cooley, J. W. Tukey 1965; the convention of FFTW's benchmarks). N is the product of all
transformed sizes. A distance takes three FLOPs a coordinate (difference, square, sum); where
torch has a product of matrices do it, two.

With a counter around it torch finds vectors even where values alone are asked for (eigvals,
eigvalsh, svdvals), and that is what is counted then.
"""

from math import log2, prod


def _batch(a):
    """Return how many matrices there are, and the larger and the smaller of their sizes."""
    m, n = a.shape[-2:]
    return prod(a.shape[:-2]), max(m, n), min(m, n)


def _columns(b, n):
    """Return the right sides of all systems of n equations; a vector has one."""
    return b.numel() // max(1, n)


def _lu(args, _kwargs, _out):
    many, m, n = _batch(args[0])
    return many * n * n * (m - n / 3)


def _solve(args, kwargs, out):
    return _lu(args, kwargs, out) + 2 * args[0].shape[-1] * args[1].numel()


def _two_triangles(at, of):
    """Return the formula of a solve with two triangles: 2 n for each element of the right side."""

    def formula(args, _kwargs, _out):
        return 2 * args[at].shape[-1] * args[of].numel()

    return formula


def _triangle(at, of):
    def formula(args, _kwargs, _out):
        return args[at].shape[-1] * args[of].numel()

    return formula


def _square(times):
    def formula(args, _kwargs, _out):
        many, m, n = _batch(args[0])
        return times * many * m * n * n

    return formula


def _householder(times):
    def formula(args, _kwargs, _out):
        many, m, n = _batch(args[0])
        return times * many * 2 * n * n * (m - n / 3)

    return formula


def _qr(args, kwargs, _out):
    mode = args[1] if len(args) > 1 else kwargs.get("mode", "reduced")
    many, m, n = _batch(args[0])
    one = 2 * n * n * (m - n / 3)
    if mode == "r":
        return many * one
    if mode == "complete" and args[0].shape[-2] > args[0].shape[-1]:
        return many * (one + 4 * (m * m * n - m * n * n + n**3 / 3))
    return many * 2 * one


def _apply_q(args, _kwargs, _out):
    """Return the cost of multiplying with Q, 4 m n - 2 n^2 a column (GVL 5.1)."""
    _, m, n = _batch(args[0])
    return (4 * m * n - 2 * n * n) * _columns(args[2], m)


def _svd(args, kwargs, _out):
    full = args[1] if len(args) > 1 else kwargs.get("full_matrices", False)
    vectors = args[2] if len(args) > 2 else kwargs.get("compute_uv", True)
    many, m, n = _batch(args[0])
    if not vectors:
        return many * (2 * m * n * n + 2 * n**3)
    if full and m > n:
        return many * (4 * m * m * n + 22 * n**3)
    return many * (6 * m * n * n + 20 * n**3)


def _eigh(args, kwargs, _out):
    vectors = args[2] if len(args) > 2 else kwargs.get("compute_v", True)
    many, n, _ = _batch(args[0])
    return many * (9 if vectors else 4 / 3) * n**3


def _lstsq(args, _kwargs, _out):
    """Return QR, Q^T b and a triangular solve."""
    many, m, n = _batch(args[0])
    columns = args[1].numel() // max(1, args[0].shape[-2])
    return many * 2 * n * n * (m - n / 3) + columns * (4 * m * n - 2 * n * n + n * n)


def _fft(half, of_output=False):
    def formula(args, _kwargs, out):
        whole = out if of_output else args[0]
        points = prod([whole.shape[dim] for dim in args[1]])
        flops = 5 * whole.numel() * log2(points) if points > 1 else 0
        return flops / 2 if half else flops

    return formula


def _distances(a, b):
    """Return coordinates of all pairs of rows: batch x P x R x M."""
    batch = max(prod(a.shape[:-2]), prod(b.shape[:-2]))
    return batch * a.shape[-2] * b.shape[-2] * a.shape[-1]


def _cdist(times, at=0):
    def formula(args, _kwargs, _out):
        return times * _distances(args[at], args[at + 1])

    return formula


def _pdist(at):
    def formula(args, _kwargs, _out):
        n, m = args[at].shape
        return 3 * n * (n - 1) // 2 * m

    return formula


LINALG = {
    "aten::linalg_lu": _lu,
    "aten::linalg_lu_factor_ex": _lu,
    "aten::_lu_with_info": _lu,
    "aten::_linalg_det": _lu,
    "aten::_linalg_slogdet": _lu,
    "aten::_linalg_solve_ex": _solve,
    "aten::linalg_lu_solve": _two_triangles(0, 2),
    "aten::linalg_ldl_factor_ex": _square(1 / 3),
    "aten::linalg_ldl_solve": _two_triangles(0, 2),
    "aten::linalg_cholesky_ex": _square(1 / 3),
    "aten::cholesky": _square(1 / 3),
    "aten::cholesky_solve": _two_triangles(1, 0),
    "aten::_cholesky_solve_helper": _two_triangles(1, 0),
    "aten::cholesky_inverse": _square(2 / 3),
    "aten::linalg_solve_triangular": _triangle(0, 1),
    "aten::triangular_solve": _triangle(1, 0),
    "aten::linalg_inv_ex": _square(2),
    "aten::linalg_qr": _qr,
    "aten::geqrf": _householder(1),
    "aten::linalg_householder_product": _householder(1),
    "aten::ormqr": _apply_q,
    "aten::_linalg_svd": _svd,
    "aten::_linalg_eigh": _eigh,
    "aten::linalg_eig": _square(25),
    "aten::linalg_eigvals": _square(10),
    "aten::_linalg_eigvals": _square(10),
    "aten::linalg_lstsq": _lstsq,
    "aten::linalg_matrix_exp": _square(10),
    "aten::_cdist_forward": _cdist(3),
    "aten::_cdist_backward": _cdist(3, at=1),
    "aten::_euclidean_dist": _cdist(2),
    "aten::_pdist_forward": _pdist(0),
    "aten::_pdist_backward": _pdist(1),
}
FOURIER = {
    "aten::_fft_c2c": _fft(half=False),
    "aten::_fft_r2c": _fft(half=True),
    "aten::_fft_c2r": _fft(half=True, of_output=True),
}

"""The helper package of the course: this file only hands on the names that lessons use."""

from .animation import animate_samples
from .checks import (
    test_dc_classifer,
    test_dc_classifier,
    test_dc_generator,
    test_discriminator,
    test_generator,
)
from .dashboard import LiveDashboard
from .data import BatchLoader, ImageSet, load_cifar10, load_mnist, random_rotation
from .diagnosis import diagnose
from .exercises import check
from .explorer import explore, lerp, principal_directions, share, slerp
from .large_print import large_print
from .losses import (
    bce_loss,
    discriminator_loss,
    generator_loss,
    get_optimizer,
    ls_discriminator_loss,
    ls_generator_loss,
)
from .metrics import (
    class_coverage,
    classifier_score,
    density_coverage,
    frechet_classifier_distance,
    get_reference,
    judge_samples,
    kernel_classifier_distance,
    nearest_neighbours,
    precision_recall,
)
from .models import (
    build_dc_classifier,
    build_dc_generator,
    build_discriminator,
    build_generator,
    count_params,
    initialize_weights,
    sample_noise,
    summarize,
)
from .plots import (
    D_COLOUR,
    FAKE,
    G_COLOUR,
    REAL,
    label_run,
    plot_losses,
    show_figure,
    show_grids,
    show_images,
    show_plane,
)
from .pretrained import load_pretrained
from .settings import by_profile, get_device, get_runs_folder, set_seed, start
from .training import AdversarialStep, History, Stopped, run_a_gan, stoppable, train
